"""Checks whether notifications are still valid, in the transaction that acts on the answer.

Games are locked FOR SHARE first, so a change waits for us or is visible to us. Notifications of locked games are left
out of a batch, so that they delay nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, DateTime, Text, column, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery.batch import LOCKED, GameLock
from bot.delivery.ledger import read_deliveries
from bot.notifications import CONTENT, NotificationContext, Person
from bot.rendering import Responder
from shared import sql
from shared.models import (
    Answer,
    DeliveryState,
    Game,
    GameStatus,
    NotificationDelivery,
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
_CHECKS = (
    column("is_overtaken", Boolean),
    column("may_be_posted", Boolean),
    column("is_early", Boolean),
    column("has_left", Boolean),
    column("has_enough", Boolean),
    column("guild_name", Text),
    column("checked_at", DateTime(timezone=True)),
)
_OPEN_NOTIFICATIONS = select(NotificationSchedule, *_CHECKS).from_statement(
    _SQL["open_notifications"].columns(*NotificationSchedule.__table__.columns, *_CHECKS)
)


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
    rows: list[tuple[NotificationSchedule, str | None, datetime]] = []
    invalid: dict[UUID, Settlement] = {}
    parameters = {"ids": list(ids), "kinds": list(CONTENT)}
    for row, is_overtaken, may_be_posted, is_early, has_left, has_enough, guild_name, now in await session.execute(
        _OPEN_NOTIFICATIONS, parameters
    ):
        game = games.get(row.game_id)
        if game is None:
            checked |= {} if wait else {row.id: LOCKED}
            continue
        rows.append((row, guild_name, now))
        if settlement := _judge(
            row,
            game,
            is_overtaken=is_overtaken,
            may_be_posted=may_be_posted,
            is_early=is_early,
            has_left=has_left,
            has_enough=has_enough,
            now=now,
        ):
            invalid[row.id] = settlement
    if missing := set(ids) - {row.id for row, *_ in rows} - checked.keys():
        await wait_until_due(session, NotificationSchedule, missing)
    deliveries = await read_deliveries(session, [row.id for row, *_ in rows])
    people = await _read_people(session, {row.game_id for row, *_ in rows})
    nudges = [(row, now) for row, _, now in rows if row.kind is NotificationKind.NUDGE and row.id not in invalid]
    earlier: Mapping[UUID, Sequence[Person]] = {}
    if nudges:
        without_role = {row.game_id for row, _ in nudges if games[row.game_id].nudge_role_id is None}
        earlier = await _read_earlier_players(session, without_role)
        invalid |= _judge_nudges(nudges, games, people, earlier, deliveries)
    stale = {id_ for id_ in invalid if any(row.state is DeliveryState.SENDING for row in deliveries[id_])}
    finished = {id_: settlement for id_, settlement in invalid.items() if id_ not in stale}
    for settled in await settle(session, NotificationSchedule, finished):
        log_settled(settled)
    shown = {row.game_id for row, *_ in rows if row.kind is NotificationKind.ANNOUNCEMENT}
    responses = await _read_responses(session, shown) if shown else {}
    co_hosts = await _read_co_hosts(session, shown) if shown else {}
    ended = [row.id for row, *_ in rows if row.kind is NotificationKind.OFFER_END and row.id not in finished]
    former = await _read_former_players(session, ended) if ended else {}
    for row, guild_name, now in rows:
        if row.id not in finished:
            checked[row.id] = NotificationContext(
                row,
                games[row.game_id],
                now,
                _add_person(people[row.game_id], former.get(row.id)),
                deliveries[row.id],
                guild_name=guild_name or "",
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


def _judge(
    row: NotificationSchedule,
    game: Game,
    *,
    is_overtaken: bool,
    may_be_posted: bool,
    is_early: bool,
    has_left: bool,
    has_enough: bool,
    now: datetime,
) -> Settlement | None:
    if is_overtaken:
        return staleness(row, game, now=now) or Settlement(Outcome.SUPERSEDED, "a later reminder was due too")
    if may_be_posted and game.message_id is None:
        return Settlement(Outcome.UNDELIVERABLE, "the announcement may be posted already, which is unknown")
    if is_early:
        return staleness(row, game, now=now) or Settlement(Outcome.SUPERSEDED, "the game is not announced yet")
    if has_left:
        return staleness(row, game, now=now) or Settlement(
            Outcome.SUPERSEDED, "the player has left or wants no reminders"
        )
    if has_enough:
        return staleness(row, game, now=now) or Settlement(Outcome.SUPERSEDED, "enough players have a seat")
    return staleness(row, game, now=now)


def _judge_nudges(
    rows: Sequence[tuple[NotificationSchedule, datetime]],
    games: Mapping[UUID, Game],
    people: Mapping[UUID, Sequence[Person]],
    earlier: Mapping[UUID, Sequence[Person]],
    deliveries: Mapping[UUID, Sequence[NotificationDelivery]],
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


def _was_contacted(deliveries: Iterable[NotificationDelivery]) -> bool:
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
    for row in await session.execute(_SQL["people"], {"game_ids": list(game_ids)}):
        person = Person(
            row.user_id,
            has_joined=row.has_joined,
            slot=row.slot,
            offered_until=row.offered_until,
            is_confirmed=row.is_confirmed,
            wants_dm=row.wants_dm,
            has_closed_dms=row.has_closed_dms,
            reminders_off=row.reminders_off,
        )
        people[row.game_id].append(person)
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
