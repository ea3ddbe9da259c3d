"""Games with reminders, written by COPY: the result of a hundred thousand calls of `create_game`.

Every game has its own time to be reminded at, four players, and a channel that it shares with a few others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from benchmarks.errors import BenchmarkError
from shared.models import NotificationKind, new_id
from shared.schedule.notify import CHANNEL
from shared.settings import Timing

OFFSET = timedelta(hours=2)
"""From the reminder of a game to its start."""
PLAYERS = 4
GUILDS = 500
CHANNEL_IDS = range(10_000, 12_500)
_FIRST_PENDING, _PENDING_SPREAD = timedelta(days=1), timedelta(days=30)
_HORIZON = timedelta(hours=12)
"""A row that is due again within this time was due; the pending ones come later."""
_STALLED = 2 * Timing().settle_timeout
_CHECK_INTERVAL = 0.25

Connection: TypeAlias = "asyncpg.Connection[Any]"


@dataclass(frozen=True)
class Due:
    """Reminders that are due at one instant of the database's clock."""

    ids: Sequence[UUID]
    game_ids: Sequence[UUID]
    due_at: datetime


async def fill_guilds(connection: Connection) -> None:
    """Write the guilds of all games."""
    await connection.copy_records_to_table("guild", records=[(number,) for number in range(GUILDS)], columns=["id"])


async def fill_pending(connection: Connection, count: int) -> None:
    """Write reminders that are due in the next days."""
    first = await now(connection) + _FIRST_PENDING
    step = _PENDING_SPREAD / max(count, 1)
    await _write(connection, [new_id() for _ in range(count)], lambda number: first + number * step)
    await _analyze(connection)


async def fill_due(
    connection: Connection, count: int, *, channel_ids: Sequence[int] = CHANNEL_IDS, analyze: bool = False
) -> Due:
    """Write reminders that are due together in a moment, in each channel in turn, and notify the loops.

    `analyze` when they are so many that plans may depend on them.

    Raises:
        BenchmarkError: writing them took until after they were due.
    """
    due_at = await _soon(connection, count)
    ids = [new_id() for _ in range(count)]
    due = Due(ids, await _write(connection, ids, lambda _: due_at, channel_ids), due_at)
    if analyze:
        await _analyze(connection)
    await _notify(connection, due)
    return due


async def fill_spaced(connection: Connection, count: int, *, every: timedelta, channel_ids: Sequence[int]) -> Due:
    """Write reminders that are due one after the other, in each channel in turn, and notify the loops.

    Raises:
        BenchmarkError: writing them took until after the first was due.
    """
    first = await _soon(connection, count)
    ids = [new_id() for _ in range(count)]
    due = Due(ids, await _write(connection, ids, lambda number: first + number * every, channel_ids), first)
    await _notify(connection, due)
    return due


async def fill_dms(connection: Connection, count: int, *, channel_ids: Mapping[int, int | None]) -> Due:
    """Write reminders by direct message that are due together in a moment, for each user in turn; notify the loops.

    The keys of `channel_ids` are the users. None as the channel of one says that it must be opened.

    Raises:
        BenchmarkError: writing them took until after they were due.
    """
    people = ((user_id, True, channel_id) for user_id, channel_id in channel_ids.items())
    await _copy(connection, "person", ("user_id", "wants_dm", "dm_channel_id"), people)
    due_at = await _soon(connection, count)
    ids = [new_id() for _ in range(count)]
    due = Due(ids, await _write(connection, ids, lambda _: due_at, user_ids=list(channel_ids)), due_at)
    await _analyze(connection)
    await _notify(connection, due)
    return due


async def _soon(connection: Connection, count: int) -> datetime:
    """Return a time by which so many rows are written."""
    return await now(connection) + timedelta(seconds=3 + count / 2_000)


async def _notify(connection: Connection, due: Due) -> None:
    """Notify the loops. Raises BenchmarkError if rows are due already."""
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
    if await now(connection) >= due.due_at:
        raise BenchmarkError(f"{len(due.ids)} rows took too long to write: they were due before all were there")


async def _write(
    connection: Connection,
    ids: Sequence[UUID],
    due_at: Callable[[int], datetime],
    channel_ids: Sequence[int] = CHANNEL_IDS,
    user_ids: Sequence[int] = (),
) -> list[UUID]:
    """Write a game with a reminder for each id, and return the ids of the games.

    With `user_ids` the reminders are personal ones, for each user in turn, who is the game's only player.
    """
    async with connection.transaction():
        games = [new_id() for _ in ids]
        channels = cycle(channel_ids)
        new = (_game(game, n, due_at(n), next(channels)) for n, game in enumerate(games))
        await _copy(connection, "game", _GAME, new)
        addressees = [user_ids[n % len(user_ids)] for n in range(len(games))] if user_ids else [None] * len(games)
        players = (
            (game, player) for n, game in enumerate(games) for player in ([addressees[n]] if user_ids else _players(n))
        )
        await _copy(connection, "participant", ("game_id", "user_id"), players)
        rows = (_row(row, game, due_at(n), addressees[n]) for n, (row, game) in enumerate(zip(ids, games, strict=True)))
        await _copy(connection, "notification_schedule", _ROW, rows)
    return games


def _players(number: int) -> range:
    """Return the players of a game, who play no other."""
    return range(first := 1_000_000 + number * PLAYERS, first + PLAYERS)


async def _analyze(connection: Connection) -> None:
    for table in ("game", "participant", "notification_schedule"):
        await connection.execute(f"ANALYZE {table}")


async def _copy(
    connection: Connection, table: str, columns: Sequence[str], records: Iterator[tuple[object, ...]]
) -> None:
    await connection.copy_records_to_table(table, records=records, columns=columns)


_GAME = (
    *("id", "guild_id", "channel_id", "host_id", "title"),
    *("scheduled_at", "zone", "local_time", "duration", "reminder_offsets"),
)


def _game(game_id: UUID, number: int, due_at: datetime, channel_id: int) -> tuple[object, ...]:
    starts_at, minutes = due_at + OFFSET, OFFSET // timedelta(minutes=1)
    title = f"The {number}th Night of the Sunken Keep"
    where = (number % GUILDS, channel_id, 1_000_000 + number)
    local = starts_at.replace(tzinfo=None)
    return (game_id, *where, title, starts_at, "UTC", local, timedelta(hours=3), [minutes])


_ROW = (
    *("id", "game_id", "game_version", "kind", "offset_minutes", "reason", "user_id"),
    *("game_scheduled_at", "due_at", "attempt_at"),
)


def _row(row_id: UUID, game_id: UUID, due_at: datetime, user_id: int | None) -> tuple[object, ...]:
    reminder = (NotificationKind.REMINDER.value, OFFSET // timedelta(minutes=1), None)
    personal = (NotificationKind.PERSONAL_REMINDER.value, None, "extra")
    what = reminder if user_id is None else personal
    return (row_id, game_id, 1, *what, user_id, due_at + OFFSET, due_at, due_at)


async def now(connection: Connection) -> datetime:
    """Return the database's clock."""
    moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment


async def until_due(connection: Connection, due: Due) -> None:
    """Wait until the rows are due."""
    await asyncio.sleep((due.due_at - await now(connection)).total_seconds())


async def until_published(connection: Connection, due: Due) -> None:
    """Wait until the first attempt of every row is recorded."""
    await _until_none(connection, "attempts = 0", due)


async def until_settled(connection: Connection, due: Due) -> None:
    """Wait until every row has an outcome."""
    await _until_none(connection, "settled_at IS NULL", due)


async def _until_none(connection: Connection, condition: str, due: Due) -> None:
    """Wait until no due row matches the condition; the checks are rare and use the index.

    Raises:
        BenchmarkError: nothing has moved for longer than any retry takes.
    """
    is_due = "kind IN ('reminder', 'personal_reminder') AND attempt_at < $1"  # the index begins with the kind
    statement = f"SELECT count(*) FROM notification_schedule WHERE {is_due} AND {condition}"
    clock = asyncio.get_running_loop().time
    least, since = len(due.ids) + 1, clock()
    await until_due(connection, due)
    while left := await connection.fetchval(statement, due.due_at + _HORIZON):
        if left < least:
            least, since = left, clock()
        if clock() - since > _STALLED:
            raise BenchmarkError(f"{left} rows are still {condition}, and nothing has moved for {_STALLED:.0f} s")
        await asyncio.sleep(_CHECK_INTERVAL)
