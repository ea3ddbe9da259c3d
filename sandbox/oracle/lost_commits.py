"""Lost commits: what a primary had committed and the standby that replaced it never received.

The data of the lost primary is the evidence. Only what stands there and not in the surviving database is excused. A
game that changed there, or was made there, is not compared with its history, of which a part is missing, but none of
its messages may be doubled. The same holds for a game that had changed on the new primary when a message was decided on
the lost one, which accepted commits beside it for a moment. A player whose choice between direct messages and mentions
was lost may be reminded in both ways, or be missing in a message that was sent before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from uuid import UUID

from sandbox.oracle.facts import DatabaseFacts, DeliveryRow, LostCommits


def join_histories(surviving: DatabaseFacts, primary: DatabaseFacts) -> tuple[DatabaseFacts, LostCommits]:
    """Return the facts of the surviving database, with the attempts of the lost primary too, and what was lost."""
    known = {game.id: game.states for game in surviving.games.values()}
    games = frozenset(
        game.id for game in primary.games.values() if any(state not in known.get(game.id, ()) for state in game.states)
    )
    games |= frozenset(_decided_beside(surviving, primary))
    kept = {id_: row for id_, row in primary.deliveries.items() if row.notification_id in surviving.notifications}
    deliveries = {id_: _join_attempts(id_, surviving.deliveries, kept) for id_ in {**surviving.deliveries, **kept}}
    lost = LostCommits(
        games,
        deliveries=frozenset(primary.deliveries.keys() - deliveries.keys()),
        only_there=frozenset(kept.keys() - surviving.deliveries.keys()),
        people=surviving.wants_dm ^ primary.wants_dm,
    )
    return replace(surviving, deliveries=deliveries), lost


def _decided_beside(surviving: DatabaseFacts, primary: DatabaseFacts) -> Iterator[UUID]:
    """Yield the games that had changed elsewhere when the lost primary committed an attempt."""
    for id_, row in primary.deliveries.items():
        notification = surviving.notifications.get(row.notification_id)
        if notification is None or notification.game_id not in primary.games:
            continue
        attempts = set(row.attempts) - set(surviving.deliveries[id_].attempts if id_ in surviving.deliveries else ())
        known = primary.games[notification.game_id].states
        elsewhere = [state.at for state in surviving.games[notification.game_id].states if state not in known]
        if attempts and elsewhere and min(elsewhere) <= max(attempts):
            yield notification.game_id


def _join_attempts(
    id_: UUID, surviving: Mapping[UUID, DeliveryRow], primary: Mapping[UUID, DeliveryRow]
) -> DeliveryRow:
    rows = [rows[id_] for rows in (surviving, primary) if id_ in rows]
    return replace(rows[0], attempts=tuple(sorted({attempt for row in rows for attempt in row.attempts})))
