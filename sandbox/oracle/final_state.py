"""What must hold at the end of a run: announcements, cancellations, outcomes, statuses and the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from sandbox.oracle.facts import Evidence, GameHistory
from sandbox.oracle.observed import ClaimedMessage, explain, find_unknown
from sandbox.oracle.occurrences import find_made_games
from sandbox.oracle.seats import count_players, lapsed
from sandbox.oracle.verdict import Verdict
from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome

_CHANGE_IN_PROGRESS = timedelta(seconds=2)
"""A status may still be about to change this close to the time of the change."""
_OPEN = (DeliveryState.PENDING, DeliveryState.SENDING)


def check_final_state(messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    """Check announcements and cancellations, and that everything due is settled."""
    _check_notices(messages, evidence, verdict)
    _check_settled(evidence, verdict)
    _check_unknown(evidence, verdict)


def check_all_delivered(evidence: Evidence, verdict: Verdict) -> None:
    """Check that every reminder that was due is recorded as delivered to one recipient.

    For runs without faults and without changes to the games, in which nothing excuses another outcome.
    """
    facts, ledger = evidence.facts, defaultdict(list)
    for delivery in facts.deliveries.values():
        ledger[delivery.notification_id].append(delivery)
    for row in facts.notifications.values():
        if row.kind is not NotificationKind.REMINDER or row.due_at > facts.now:
            continue
        name, deliveries = f"{row.kind} {row.id}", ledger[row.id]
        if row.outcome is not Outcome.DELIVERED:
            verdict.other_problems.append(f"{name}: outcome {row.outcome}")
        if len(deliveries) != 1:
            verdict.other_problems.append(f"{name}: {len(deliveries)} rows in the ledger")
        for delivery in deliveries:
            if delivery.state is not DeliveryState.SENT:
                verdict.other_problems.append(f"{name}: {delivery.state} in the ledger")


def _check_notices(messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    """Check that each game has an announcement that is up to date, and that each other notice was sent."""
    facts = evidence.facts
    sent: defaultdict[tuple[UUID, NotificationKind], list[ClaimedMessage]] = defaultdict(list)
    for message in messages:
        sent[message.row.game_id, message.row.kind].append(message)
    unknown = find_unknown(evidence)
    announced = {row.game_id for row in facts.notifications.values() if row.kind is NotificationKind.ANNOUNCEMENT}
    announced |= find_made_games(evidence)
    for game in facts.games.values():
        if game.id in announced and game.id not in unknown | evidence.lost.games:
            _check_announcement(game, sent[game.id, NotificationKind.ANNOUNCEMENT], evidence, verdict)
            _check_cancellation(game, sent[game.id, NotificationKind.CANCELLATION], verdict)
            _check_change(game, sent[game.id, NotificationKind.CHANGE], verdict)
            _check_drop_outs(game, sent[game.id, NotificationKind.DROP_OUT], evidence, verdict)


def _check_announcement(
    game: GameHistory, posts: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict
) -> None:
    if not posts:
        what = explain(game, NotificationKind.ANNOUNCEMENT, evidence)
        verdict.lost.append(f"the announcement of {game.title} ({what})")
    elif not _is_up_to_date(game, evidence.final_text.get(game.message_id or 0, "")):
        verdict.wrong.append(f"the announcement of {game.title} is out of date")


def _check_cancellation(game: GameHistory, messages: Sequence[ClaimedMessage], verdict: Verdict) -> None:
    is_cancelled = game.final.status is GameStatus.CANCELLED
    is_sent = any(message.in_channel for message in messages)
    name = f"the cancellation of {game.title}"
    if is_cancelled and not is_sent:
        verdict.lost.append(name)
    elif is_sent and not is_cancelled:
        verdict.wrong.append(name)
    elif is_cancelled:
        _find_missed(name, game.people_at(game.final.at), messages, verdict)


def _check_change(game: GameHistory, messages: Sequence[ClaimedMessage], verdict: Verdict) -> None:
    """Check that everyone learnt of the last new time, and that no time was announced more often than it changed."""
    moves = [after.at for before, after in pairwise(game.states) if before.starts_at != after.starts_at]
    name = f"the new time of {game.title}"
    if len({message.row.id for message in messages}) > len(moves):
        verdict.doubled.append(name)
    if not moves or game.final.status is GameStatus.CANCELLED:
        return
    last = [message for message in messages if message.row.starts_at == game.final.starts_at]
    if any(message.in_channel for message in last):
        _find_missed(name, game.people_at_all([moves[-1], game.final.at]), last, verdict)
    else:
        verdict.lost.append(name)


def _check_drop_outs(
    game: GameHistory, messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict
) -> None:
    """Check that the host learnt of every player who left before the start and stayed away."""
    if game.final.status is GameStatus.CANCELLED:
        return
    left = {
        player
        for before, after in pairwise(game.states)
        if after.status is GameStatus.SCHEDULED
        for player in before.players - after.players - lapsed(before, after) - game.final.players - {game.host_id}
    }
    notices = [message.message for message in messages if game.host_id in message.message.recipients]
    for player in left:
        if not any(f"<@{player}>" in message.text for message in notices):
            what = explain(game, NotificationKind.DROP_OUT, evidence)
            verdict.lost.append(f"the drop-out of {player} from {game.title} ({what})")


def _find_missed(name: str, people: frozenset[int], messages: Sequence[ClaimedMessage], verdict: Verdict) -> None:
    if missed := people.difference(*(message.message.recipients for message in messages)):
        verdict.wrong.append(f"{name}: {len(missed)} people were not notified")


def _is_up_to_date(game: GameHistory, text: str) -> bool:
    """Return whether a post shows the game's time, status, players and waitlist, and how many have each slot."""
    state = game.final
    required = [f"<t:{int(state.starts_at.timestamp())}:F>", state.status.replace("_", " ").capitalize()]
    required += [f"<@{player}>" for player in (*state.players, *state.waiting)]
    required += [f"{slot.name} {count_players(state, slot)}" for slot in state.slots]
    required += [f"Waitlist {len(state.waiting)}"] if state.waiting else []
    own_count = f"Players {len(state.players)}"
    return all(part in text for part in required) and text.count("Players ") == text.count(own_count)


def _check_settled(evidence: Evidence, verdict: Verdict) -> None:
    """Check that everything due has its outcome, and every game its status."""
    facts = evidence.facts
    for row in facts.notifications.values():
        if row.due_at <= facts.now and row.outcome is None:
            verdict.unsettled.append(f"{row.kind} of {facts.games[row.game_id].title}")
    for delivery in facts.deliveries.values():
        row = facts.notifications[delivery.notification_id]
        may_be_reopened = row.outcome is Outcome.SUPERSEDED and delivery.state is DeliveryState.PENDING
        is_final = delivery.state not in _OPEN or delivery.id in evidence.lost.only_there
        if row.outcome is not None and not may_be_reopened and not is_final:
            verdict.unsettled.append(f"a delivery of {facts.games[row.game_id].title}, which is {delivery.state}")
    for transition in facts.transitions:
        if transition.due_at <= facts.now and transition.outcome is None:
            verdict.unsettled.append(f"{transition.target} of {facts.games[transition.game_id].title}")
    for game in facts.games.values():
        expected = _expected_status(game, facts.now)
        if expected is not None and game.final.status is not expected:
            verdict.lost.append(f"{game.title} is {game.final.status} instead of {expected}")


def _check_unknown(evidence: Evidence, verdict: Verdict) -> None:
    """Count the attempts with an unknown result, which the fault must justify."""
    deliveries = evidence.facts.deliveries.values()
    verdict.unknown = sum(delivery.state is DeliveryState.UNKNOWN for delivery in deliveries)
    if verdict.unknown and not evidence.unknown_allowed:
        verdict.other_problems.append(f"unknown: {verdict.unknown} attempts, which this fault does not justify")


def _expected_status(game: GameHistory, now: datetime) -> GameStatus | None:
    """Return the status that the time requires, None close to a change."""
    state = game.final
    changes = (
        (state.starts_at + game.duration, GameStatus.COMPLETED),
        (state.starts_at, GameStatus.IN_PROGRESS),
    )
    for at, status in changes:
        if abs(now - at) < _CHANGE_IN_PROGRESS:
            return None
        if at <= now and state.status is not GameStatus.CANCELLED:
            return status
    return GameStatus.CANCELLED if state.status is GameStatus.CANCELLED else GameStatus.SCHEDULED
