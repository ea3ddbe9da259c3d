"""Checks whether notifications are still valid, in the transaction that acts on the answer.

Games are locked FOR SHARE first, so a change waits for us or is visible to us. Notifications of locked games are left
out of a batch, so that they delay nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery.batch import LOCKED, GameLock
from bot.delivery.ledger import read_deliveries
from bot.notifications import CONTENT, NotificationContext, Person
from bot.notifications.rows import Delivery, DueNotification
from bot.rendering import Responder
from shared import sql
from shared.models import (
    Answer,
    DeliveryState,
    Game,
    GameStatus,
    NotificationKind,
    NotificationSchedule,
    Outcome,
)
from shared.schedule.notices import staleness
from shared.schedule.settle import Settlement, log_settled, settle, wait_until_due
from shared.signup_rules import is_past_closing
from shared.slots import count_free_seats

_SQL = sql.load("delivery")
_LOCK_GAMES = {
    wait: select(Game).from_statement(text(statement).columns(*Game.__table__.columns))
    for wait, statement in sql.lock_variants(_SQL["lock_games"]).items()
}
_OPEN_NOTIFICATIONS = _SQL["open_notifications"].columns(kind=NotificationSchedule.kind.type)


class _Checks(NamedTuple):
    """What the database says about an open notification, in the order of the statement."""

    is_overtaken: bool
    """A later reminder is due too."""
    may_be_posted: bool
    """It is unknown whether an earlier attempt posted the announcement."""
    is_early: bool
    """The game is not announced yet."""
    has_left: bool
    """Its only recipient has left, or wants no reminders."""
    has_enough: bool
    """The minimum of players is reached."""
    guild_name: str | None
    checked_at: datetime


async def check(
    session: AsyncSession, ids: Collection[UUID], *, wait: bool = False
) -> dict[UUID, NotificationContext | GameLock]:
    """Check notifications, and settle invalid ones.

    An invalid one that may have been sent to someone is not settled yet; its context `is_stale`. The result has no
    entry for notifications that are settled, deleted, not due yet, or of a kind that only a newer release knows. With
    `wait`, locked games are waited for.
    """
    games = await _lock_games(session, ids, wait=wait)
    checked: dict[UUID, NotificationContext | GameLock] = {}
    rows: list[tuple[DueNotification, _Checks]] = []
    invalid: dict[UUID, Settlement] = {}
    for row, checks in await _read_open(session, ids):
        game = games.get(row.game_id)
        if game is None:
            checked |= {} if wait else {row.id: LOCKED}
            continue
        rows.append((row, checks))
        if settlement := _judge(row, game, checks):
            invalid[row.id] = settlement
    if missing := set(ids) - {row.id for row, _ in rows} - checked.keys():
        await wait_until_due(session, NotificationSchedule, missing)
    deliveries = await read_deliveries(session, [row.id for row, _ in rows])
    people = await _read_people(session, {row.game_id for row, _ in rows})
    nudges = [
        (row, checks.checked_at) for row, checks in rows if row.kind is NotificationKind.NUDGE and row.id not in invalid
    ]
    earlier: Mapping[UUID, Sequence[Person]] = {}
    if nudges:
        without_role = {row.game_id for row, _ in nudges if games[row.game_id].nudge_role_id is None}
        earlier = await _read_earlier_players(session, without_role)
        invalid |= _judge_nudges(nudges, games, people, earlier, deliveries)
    stale = {id_ for id_ in invalid if any(row.state is DeliveryState.SENDING for row in deliveries[id_])}
    finished = {id_: settlement for id_, settlement in invalid.items() if id_ not in stale}
    for settled in await settle(session, NotificationSchedule, finished):
        log_settled(settled)
    shown = {row.game_id for row, _ in rows if row.kind is NotificationKind.ANNOUNCEMENT}
    responses = await _read_responses(session, shown) if shown else {}
    co_hosts = await _read_co_hosts(session, shown) if shown else {}
    ended = [row.id for row, _ in rows if row.kind is NotificationKind.OFFER_END and row.id not in finished]
    former = await _read_former_players(session, ended) if ended else {}
    for row, checks in rows:
        if row.id not in finished:
            checked[row.id] = NotificationContext(
                row,
                games[row.game_id],
                checks.checked_at,
                _add_person(people[row.game_id], former.get(row.id)),
                deliveries[row.id],
                guild_name=checks.guild_name or "",
                responses=responses.get(row.game_id, ()),
                co_hosts=co_hosts.get(row.game_id, ()),
                earlier_players=earlier.get(row.game_id, ()) if row.kind is NotificationKind.NUDGE else (),
                is_stale=row.id in stale,
            )
    return checked


async def check_one(session: AsyncSession, notification_id: UUID) -> NotificationContext | None:
    """Return a notification's context if it is valid. Otherwise settle it."""
    context = (await check(session, [notification_id], wait=True)).get(notification_id)
    return context if isinstance(context, NotificationContext) and not context.is_stale else None


async def _read_open(session: AsyncSession, ids: Iterable[UUID]) -> list[tuple[DueNotification, _Checks]]:
    width = len(DueNotification._fields)
    found = await session.execute(_OPEN_NOTIFICATIONS, {"ids": list(ids), "kinds": list(CONTENT)})
    return [(DueNotification._make(row[:width]), _Checks._make(row[width:])) for row in found]


def _judge(row: DueNotification, game: Game, checks: _Checks) -> Settlement | None:
    """Return the outcome of an invalid notification. If the game itself makes it so, that is the reason given."""
    if checks.may_be_posted and game.message_id is None:
        return Settlement(Outcome.UNDELIVERABLE, "the announcement may be posted already, which is unknown")
    if settlement := staleness(row, game, now=checks.checked_at):
        return settlement
    reasons = {
        "a later reminder was due too": checks.is_overtaken,
        "the game is not announced yet": checks.is_early,
        "the player has left or wants no reminders": checks.has_left,
        "enough players have a seat": checks.has_enough,
    }
    detail = next((reason for reason, applies in reasons.items() if applies), None)
    return None if detail is None else Settlement(Outcome.SUPERSEDED, detail)


def _judge_nudges(
    rows: Sequence[tuple[DueNotification, datetime]],
    games: Mapping[UUID, Game],
    people: Mapping[UUID, Sequence[Person]],
    earlier: Mapping[UUID, Sequence[Person]],
    deliveries: Mapping[UUID, Sequence[Delivery]],
) -> dict[UUID, Settlement]:
    """Return the outcomes of nudges that would be useless now.

    Once somebody may have been nudged, those who have answered meanwhile are left out one by one.
    """
    found: dict[UUID, Settlement] = {}
    for row, now in rows:
        game = games[row.game_id]
        seats = {person.user_id: person.slot for person in people[row.game_id] if person.has_joined}
        if game.nudge_minutes is None:
            found[row.id] = Settlement(Outcome.SUPERSEDED, "the game has no nudge any more")
        elif game.status is not GameStatus.SCHEDULED or now >= game.scheduled_at or is_past_closing(game, now=now):
            found[row.id] = Settlement(Outcome.SUPERSEDED, "sign-ups are closed")
        elif count_free_seats(game, seats) == 0:
            found[row.id] = Settlement(Outcome.SUPERSEDED, "the game is full")
        elif game.nudge_role_id is None and not earlier.get(game.id) and not _was_contacted(deliveries[row.id]):
            found[row.id] = Settlement(Outcome.SUPERSEDED, "there is nobody to nudge")
    return found


def _was_contacted(deliveries: Iterable[Delivery]) -> bool:
    """Return whether a message may have been sent."""
    return any(delivery.state is not DeliveryState.PENDING for delivery in deliveries)


async def _read_earlier_players(session: AsyncSession, game_ids: Iterable[UUID]) -> Mapping[UUID, Sequence[Person]]:
    players: defaultdict[UUID, list[Person]] = defaultdict(list)
    for row in await session.execute(_SQL["earlier_players"], {"game_ids": list(game_ids)}):
        person = Person(row.user_id, has_joined=False, wants_dm=row.wants_dm, has_closed_dms=row.has_closed_dms)
        players[row.game_id].append(person)
    return players


async def _lock_games(session: AsyncSession, notifications: Iterable[UUID], *, wait: bool) -> dict[UUID, Game]:
    return {game.id: game for game in await session.scalars(_LOCK_GAMES[wait], {"ids": list(notifications)})}


async def _read_people(session: AsyncSession, game_ids: Iterable[UUID]) -> Mapping[UUID, Sequence[Person]]:
    people: defaultdict[UUID, list[Person]] = defaultdict(list)
    for game_id, *person in await session.execute(_SQL["people"], {"game_ids": list(game_ids)}):
        people[game_id].append(Person._make(person))
    return people


async def _read_former_players(session: AsyncSession, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
    """Read how the users want to be notified who lost their seats. They need not be in the game any more."""
    return {
        row.id: Person(row.user_id, has_joined=False, wants_dm=row.wants_dm, has_closed_dms=row.has_closed_dms)
        for row in await session.execute(_SQL["addressees"], {"ids": list(ids)})
    }


def _add_person(people: Sequence[Person], person: Person | None) -> Sequence[Person]:
    if person is None or any(other.user_id == person.user_id for other in people):
        return people
    return [*people, person]


async def _read_responses(session: AsyncSession, game_ids: Iterable[UUID]) -> Mapping[UUID, Sequence[Responder]]:
    responses: defaultdict[UUID, list[Responder]] = defaultdict(list)
    for game_id, user_id, answer, slot in await session.execute(_SQL["responses"], {"game_ids": list(game_ids)}):
        responses[game_id].append(Responder(user_id, Answer(answer), slot))
    return responses


async def _read_co_hosts(session: AsyncSession, game_ids: Iterable[UUID]) -> Mapping[UUID, Sequence[int]]:
    co_hosts: defaultdict[UUID, list[int]] = defaultdict(list)
    for game_id, user_id in await session.execute(_SQL["co_hosts"], {"game_ids": list(game_ids)}):
        co_hosts[game_id].append(user_id)
    return co_hosts
