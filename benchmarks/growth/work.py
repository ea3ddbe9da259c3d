"""What is measured: functions of the product, each with the rows that it is about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.growth.load import ANNOUNCEMENT, OFFSETS, Size, game_id, message_id, player_of
from cli.commands.trace.lookup import load_trace_data
from controllers.loops import queries, stats
from controllers.loops.sources import NOTIFICATIONS, STATUS_TRANSITIONS
from shared import game_search
from shared.audit import purge_entries
from shared.editing import GameEdit, edit_game
from shared.games import NewGame, cancel_game, create_game
from shared.messaging import topology
from shared.models import NotificationSchedule, Outcome
from shared.schedule.settle import Settlement, settle
from shared.settings import Timing
from shared.signup import join_game

BATCH = 100
"""Rows of a claim, of a settlement, and of a batch of dead letters."""
RETENTION_DAYS = 30
SHOWN = 25
"""Games that autocomplete and lists show."""


@dataclass(frozen=True)
class Subject:
    """A coming game in the middle of the table, and what belongs to it."""

    number: int
    size: Size
    moment: datetime

    @property
    def game_id(self) -> UUID:
        """The game."""
        return game_id(self.number)

    @property
    def guild_id(self) -> int:
        """Its server."""
        return self.number % self.size.guilds

    @property
    def user_id(self) -> int:
        """One of its players."""
        return player_of(self.number, self.size)

    @property
    def rows(self) -> list[UUID]:
        """Pending reminders of it and the games that follow."""
        numbers = range(self.number, self.number + BATCH // len(OFFSETS))
        return [game_id(number, row) for number in numbers for row in range(1, len(OFFSETS) + 1)]


Work: TypeAlias = Callable[[AsyncSession, Subject], Awaitable[object]]


async def _claim(session: AsyncSession, _subject: Subject) -> object:
    queue, timeout = topology.REMINDERS, Timing().settle_interval
    rows = await queries.claim(session, NOTIFICATIONS, queue=queue, batch_size=BATCH)
    return await queries.mark_published(session, NOTIFICATIONS, [row.id for row in rows], settle_timeout=timeout)


async def _claim_transitions(session: AsyncSession, _subject: Subject) -> object:
    return await queries.claim(session, STATUS_TRANSITIONS, batch_size=BATCH)


async def _claim_none(session: AsyncSession, _subject: Subject) -> object:
    return await queries.claim(session, NOTIFICATIONS, queue=topology.NOTICES, batch_size=BATCH)


async def _claim_dead(session: AsyncSession, subject: Subject) -> object:
    return await queries.claim_dead(session, NOTIFICATIONS, dict.fromkeys(subject.rows, 0))


async def _next_due(session: AsyncSession, _subject: Subject) -> object:
    return await queries.seconds_until_next(session, NOTIFICATIONS, topology.REMINDERS)


async def _settle(session: AsyncSession, subject: Subject) -> object:
    return await settle(session, NotificationSchedule, dict.fromkeys(subject.rows, Settlement(Outcome.DELIVERED)))


async def _count(session: AsyncSession, _subject: Subject) -> object:
    return await stats.count_rows(session, NOTIFICATIONS)


async def _purge_notifications(session: AsyncSession, _subject: Subject) -> object:
    return await queries.purge(session, NOTIFICATIONS, retention_days=RETENTION_DAYS)


async def _purge_transitions(session: AsyncSession, _subject: Subject) -> object:
    return await queries.purge(session, STATUS_TRANSITIONS, retention_days=RETENTION_DAYS)


async def _purge_entries(session: AsyncSession, _subject: Subject) -> object:
    return await purge_entries(session, batch_size=queries.PURGE_BATCH)


async def _create(session: AsyncSession, subject: Subject) -> object:
    new = NewGame(
        guild_id=subject.guild_id,
        channel_id=1,
        host_id=subject.user_id,
        title="The Sunken Keep",
        scheduled_at=subject.moment + timedelta(days=10),
        zone="UTC",
        duration=timedelta(hours=3),
        reminder_offsets=OFFSETS,
    )
    return await create_game(session, new)


async def _move(session: AsyncSession, subject: Subject) -> object:
    return await edit_game(session, subject.game_id, GameEdit(scheduled_at=subject.moment + timedelta(days=9)))


async def _cancel(session: AsyncSession, subject: Subject) -> object:
    return await cancel_game(session, subject.game_id)


async def _join(session: AsyncSession, subject: Subject) -> object:
    return await join_game(session, subject.game_id, user_id=subject.size.users)


async def _autocomplete(session: AsyncSession, subject: Subject) -> object:
    return await game_search.search_games(session, subject.guild_id, "keep", limit=SHOWN)


async def _autocomplete_own(session: AsyncSession, subject: Subject) -> object:
    return await game_search.search_games(session, subject.guild_id, "keep", limit=SHOWN, host_id=subject.user_id)


async def _list(session: AsyncSession, subject: Subject) -> object:
    return await game_search.list_games(session, subject.guild_id)


async def _list_own(session: AsyncSession, subject: Subject) -> object:
    return await game_search.list_own_games(session, subject.user_id, guild_id=None)


async def _overlap(session: AsyncSession, subject: Subject) -> object:
    return await game_search.find_overlap(session, subject.game_id, user_id=subject.user_id)


async def _trace_game(session: AsyncSession, subject: Subject) -> object:
    return await load_trace_data(session, str(subject.game_id))


async def _trace_message(session: AsyncSession, subject: Subject) -> object:
    return await load_trace_data(session, str(message_id(subject.number, ANNOUNCEMENT)))


WORK: Mapping[str, Work] = {
    "claim 100 of 2,500 due, and mark them": _claim,
    "claim 100 due status changes": _claim_transitions,
    "claim, none due": _claim_none,
    "find the next due row": _next_due,
    "claim the rows of 100 dead letters": _claim_dead,
    "settle 100": _settle,
    "count rows for the status": _count,
    "create a game": _create,
    "move a game": _move,
    "cancel a game": _cancel,
    "join a game": _join,
    "purge 500 notifications": _purge_notifications,
    "purge 500 status changes": _purge_transitions,
    "purge 500 audit entries": _purge_entries,
    "autocomplete a game": _autocomplete,
    "autocomplete an own game": _autocomplete_own,
    "list a server's games": _list,
    "list a user's games": _list_own,
    "find an overlap": _overlap,
    "trace a game": _trace_game,
    "trace a message": _trace_message,
}
