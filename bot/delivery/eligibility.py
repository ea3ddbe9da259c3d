"""Checks whether notifications are still valid, in the transaction that acts on the answer.

Games are locked FOR SHARE first, so a change waits for us or is visible to us. Notifications of locked games are left
out of a batch, so that they delay nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(slots=True)
class _Candidate:
    """An open notification whose game is locked, and what is read about both."""

    row: DueNotification
    checks: _Checks
    game: Game
    deliveries: Sequence[Delivery] = ()
    people: Sequence[Person] = ()
    earlier_players: Sequence[Person] = ()
    responses: Sequence[Responder] = ()
    co_hosts: Sequence[int] = ()
    settlement: Settlement | None = None
    """Its outcome, if it is invalid."""

    @property
    def is_stale(self) -> bool:
        """Whether it is invalid, but may have been sent to someone."""
        return self.settlement is not None and any(row.state is DeliveryState.SENDING for row in self.deliveries)

    def make_context(self) -> NotificationContext:
        """Return what is needed to send it."""
        return NotificationContext(
            self.row,
            self.game,
            self.checks.checked_at,
            self.people,
            self.deliveries,
            guild_name=self.checks.guild_name or "",
            responses=self.responses,
            co_hosts=self.co_hosts,
            earlier_players=self.earlier_players,
            is_stale=self.is_stale,
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
    found = await _read_open(session, ids)
    candidates = [_Candidate(row, checks, games[row.game_id]) for row, checks in found if row.game_id in games]
    locked = [] if wait else [row.id for row, _ in found if row.game_id not in games]
    if missing := set(ids) - {it.row.id for it in candidates} - set(locked):
        await wait_until_due(session, NotificationSchedule, missing)
    await _judge_all(session, candidates)
    invalid = {it.row.id: it.settlement for it in candidates if it.settlement is not None and not it.is_stale}
    for settled in await settle(session, NotificationSchedule, invalid):
        log_settled(settled)
    left = [it for it in candidates if it.row.id not in invalid]
    await _read_what_is_shown(session, left)
    return {**dict.fromkeys(locked, LOCKED), **{it.row.id: it.make_context() for it in left}}


async def _judge_all(session: AsyncSession, candidates: Sequence[_Candidate]) -> None:
    """Read whom the notifications are for, and what was sent already, and find the invalid ones."""
    deliveries = await read_deliveries(session, [it.row.id for it in candidates])
    people = await _read_people(session, {it.game.id for it in candidates})
    for it in candidates:
        it.deliveries, it.people = deliveries[it.row.id], people[it.game.id]
        it.settlement = _judge(it.row, it.game, it.checks)
    nudges = [it for it in candidates if it.row.kind is NotificationKind.NUDGE and it.settlement is None]
    if nudges:
        without_role = {it.game.id for it in nudges if it.game.nudge_role_id is None}
        earlier = await _read_earlier_players(session, without_role)
        for it in nudges:
            it.earlier_players = earlier.get(it.game.id, ())
            it.settlement = _judge_nudge(it)


async def _read_what_is_shown(session: AsyncSession, left: Sequence[_Candidate]) -> None:
    """Read what only some kinds show: the other answers and the co-hosts, and the user who lost an offered seat."""
    announcements = [it for it in left if it.row.kind is NotificationKind.ANNOUNCEMENT]
    if announcements:
        game_ids = {it.game.id for it in announcements}
        responses, co_hosts = await _read_responses(session, game_ids), await _read_co_hosts(session, game_ids)
        for it in announcements:
            it.responses, it.co_hosts = responses.get(it.game.id, ()), co_hosts.get(it.game.id, ())
    ended = [it for it in left if it.row.kind is NotificationKind.OFFER_END]
    if ended:
        former = await _read_former_players(session, [it.row.id for it in ended])
        for it in ended:
            it.people = _add_person(it.people, former.get(it.row.id))


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
    return _supersede_if(
        {
            "a later reminder was due too": checks.is_overtaken,
            "the game is not announced yet": checks.is_early,
            "the player has left or wants no reminders": checks.has_left,
            "enough players have a seat": checks.has_enough,
        }
    )


def _judge_nudge(nudge: _Candidate) -> Settlement | None:
    """Return the outcome of a nudge that would be useless now.

    Once somebody may have been nudged, those who have answered meanwhile are left out one by one.
    """
    game, now = nudge.game, nudge.checks.checked_at
    seats = {person.user_id: person.slot for person in nudge.people if person.has_joined}
    is_open = game.status is GameStatus.SCHEDULED and now < game.scheduled_at and not is_past_closing(game, now=now)
    has_nobody = game.nudge_role_id is None and not nudge.earlier_players and not _was_contacted(nudge.deliveries)
    return _supersede_if(
        {
            "the game has no nudge any more": game.nudge_minutes is None,
            "sign-ups are closed": not is_open,
            "the game is full": count_free_seats(game, seats) == 0,
            "there is nobody to nudge": has_nobody,
        }
    )


def _supersede_if(reasons: Mapping[str, bool]) -> Settlement | None:
    """Return the outcome with the first reason that applies, None if none does."""
    detail = next((reason for reason, applies in reasons.items() if applies), None)
    return None if detail is None else Settlement(Outcome.SUPERSEDED, detail)


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
