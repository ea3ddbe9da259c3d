"""Fills the tables on the server with games that are coming and games that are over, as months of use do.

Rows have the ids, times and indexes that the product gives them. A game's reminders are in the order of its creation,
and its time is only roughly so. Every guild, channel and user has as many games as in a smaller database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from benchmarks.rows import Connection, now
from sandbox.servers import Report

OFFSETS = (10_080, 7_200, 4_320, 2_880, 1_440, 720, 240, 120, 60, 15)
"""Minutes from a reminder to the start of its game, of which each is a row."""
PLAYERS = 3
DUE = 2_500
"""Reminders that are due, more than a claim looks at. They are at most a quarter of all."""
TABLES = (
    "game",
    "participant",
    "notification_schedule",
    "notification_delivery",
    "game_status_schedule",
    "audit_entry",
)
"""The tables that grow with games."""

_GAMES_PER_GUILD = 60
_GAMES_PER_USER = 16
FIRST_MESSAGE_ID = 10**15
"""Messages that are older than all that a benchmark sends have a greater id."""
_ROWS_PER_GAME = 16
"""The most ids that one game gives to the rows of a table."""
_BATCH = 50_000
"""Games of one statement."""
_SLOW = 3_600.0
"""Seconds for what reads a whole table."""


@dataclass(frozen=True)
class Size:
    """How many reminders are pending, and how many are settled and not purged."""

    pending: int
    settled: int

    @property
    def coming(self) -> int:
        """The games that have not started. They have the numbers from 0."""
        return self.pending // len(OFFSETS)

    @property
    def over(self) -> int:
        """The games that are over. They have the numbers that follow."""
        return self.settled // len(OFFSETS)

    @property
    def due(self) -> int:
        """The coming games whose reminders are due, which have the last numbers."""
        return min(DUE // len(OFFSETS), self.coming // 4)

    @property
    def guilds(self) -> int:
        """The servers. Game `n` is of the server `n % guilds`."""
        return max(1, (self.coming + self.over) // _GAMES_PER_GUILD)

    @property
    def users(self) -> int:
        """The users, from 0."""
        return max(2 * PLAYERS, (self.coming + self.over) * PLAYERS // _GAMES_PER_USER)


def game_id(number: int, row: int = 0) -> UUID:
    """Return the id of a game, or of a row of it: its reminders have the rows from 1 on."""
    return UUID(f"{number:012x}70008000{row:012x}")


def message_id(number: int, row: int) -> int:
    """Return the message of a settled row."""
    return FIRST_MESSAGE_ID + number * _ROWS_PER_GAME + row


def player_of(number: int, size: Size) -> int:
    """Return the first player of a game."""
    return number * PLAYERS * 7919 % size.users


ANNOUNCEMENT = len(OFFSETS) + 1
"""The row of a game's announcement, which is settled."""

_ROW_ID = "CAST(overlay(CAST(game.id AS text) PLACING lpad(to_hex({row}), 12, '0') FROM 25) AS uuid)"
_NUMBER = "CAST(CAST('x' || translate(left(CAST(id AS text), 13), '-', '') AS bit(48)) AS bigint)"
_IN_BATCH = "{id} BETWEEN $1 AND $2"

_GAMES = f"""
INSERT INTO game (
    id, guild_id, channel_id, message_id, host_id, title, scheduled_at, zone, local_time, duration, status,
    reminder_offsets, created_at
)
SELECT
    CAST(lpad(to_hex(n), 12, '0') || '70008000000000000000' AS uuid), n % $7, 1000000 + n % $7,
    {FIRST_MESSAGE_ID} + n * {_ROWS_PER_GAME} + {ANNOUNCEMENT}, n * 104729 % $8,
    'The ' || n || 'th Night of the Sunken Keep', starts_at, 'UTC', starts_at AT TIME ZONE 'UTC', interval '3 hours',
    CASE WHEN $5 THEN 'completed' ELSE 'scheduled' END, CAST('{{{",".join(map(str, OFFSETS))}}}' AS integer[]),
    starts_at - interval '50 days'
FROM generate_series(CAST($3 AS bigint), CAST($4 AS bigint) - 1) AS n,
    LATERAL (SELECT 0.8 * (n - $1) / $2 + 0.2 * (n * 7919 % 100003) / 100003 AS share) AS place,
    LATERAL (
        SELECT CAST($6 AS timestamptz) + CASE
            WHEN $5 THEN interval '60 days' * (share - 1) - interval '1 day'
            ELSE interval '30 days' * share + interval '8 days'
        END AS starts_at
    ) AS start
"""
"""The parameters are the first number and the count of all, the bounds of the batch, whether they are over, the time,
and the numbers of guilds and users."""

_ROWS = (
    f"""
    INSERT INTO participant (game_id, user_id, joined_at)
    SELECT id, ({_NUMBER} * {PLAYERS} + seat) * 7919 % $3, created_at + seat * interval '1 hour'
    FROM game, generate_series(0, {PLAYERS - 1}) AS seat
    WHERE {_IN_BATCH.format(id="id")}
    """,
    f"""
    INSERT INTO notification_schedule (
        id, game_id, game_version, kind, offset_minutes, game_scheduled_at, due_at, attempt_at, attempts, settled_at,
        outcome, created_at
    )
    SELECT
        {_ROW_ID.format(row="notice.row")}, game.id, 1, kind, minutes, scheduled_at, due_at,
        CASE WHEN NOT is_over THEN due_at END, CAST(is_over AS integer),
        CASE WHEN is_over THEN due_at + interval '1 second' END, CASE WHEN is_over THEN 'delivered' END, created_at
    FROM game,
        LATERAL (
            SELECT 'reminder' AS kind, minutes, row, scheduled_at - minutes * interval '1 minute' AS due_at,
                status = 'completed' AS is_over
            FROM unnest(reminder_offsets) WITH ORDINALITY AS reminder (minutes, row)
            UNION ALL
            SELECT 'announcement', NULL, {ANNOUNCEMENT}, created_at, true
        ) AS notice
    WHERE {_IN_BATCH.format(id="game.id")}
    """,
    f"""
    INSERT INTO notification_delivery (
        id, notification_id, recipient_kind, recipient_id, state, attempts, message_id, finished_at, created_at
    )
    SELECT
        CAST(overlay(CAST(id AS text) PLACING '1' FROM 35) AS uuid), id, 'channel', 1000000, 'sent', 1,
        {FIRST_MESSAGE_ID} + {_NUMBER} * {_ROWS_PER_GAME}
            + CAST(CAST('x' || right(CAST(id AS text), 1) AS bit(4)) AS integer),
        settled_at, settled_at
    FROM notification_schedule
    WHERE {_IN_BATCH.format(id="id")} AND settled_at IS NOT NULL
    """,
    f"""
    INSERT INTO game_status_schedule (
        id, game_id, game_version, target_status, due_at, attempt_at, attempts, settled_at, outcome, created_at
    )
    SELECT
        {_ROW_ID.format(row="transition.row")}, game.id, 1, target, due_at,
        CASE WHEN NOT is_over THEN due_at END, CAST(is_over AS integer),
        CASE WHEN is_over THEN due_at + interval '1 second' END, CASE WHEN is_over THEN 'applied' END, created_at
    FROM game,
        LATERAL (
            SELECT row, target, due_at, status = 'completed' AS is_over
            FROM (VALUES (1, 'in_progress', scheduled_at), (2, 'completed', scheduled_at + duration))
                AS of_game (row, target, due_at)
        ) AS transition
    WHERE {_IN_BATCH.format(id="game.id")}
    """,
    f"""
    INSERT INTO audit_entry (id, guild_id, game_id, actor_id, action, at)
    SELECT {_ROW_ID.format(row="entry.row")}, guild_id, game.id, host_id, action, created_at + row * interval '1 minute'
    FROM game, (VALUES (1, 'created'), (2, 'joined')) AS entry (row, action)
    WHERE {_IN_BATCH.format(id="game.id")}
    """,
)
"""The parameters are the ids that bound the batch, and for players the number of users."""

_DUE = (
    """
    UPDATE notification_schedule
    SET due_at = $3, attempt_at = $3
    WHERE id BETWEEN $1 AND $2 AND settled_at IS NULL
    """,
    """
    UPDATE game_status_schedule
    SET due_at = $3, attempt_at = $3
    WHERE id BETWEEN $1 AND $2 AND target_status = 'in_progress'
    """,
)
_SECONDARY_INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index
WHERE indrelid = ANY(CAST(CAST($1 AS text[]) AS regclass[]))
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
ORDER BY indrelid, name
"""


async def fill(connection: Connection, size: Size, *, report: Report) -> None:
    """Fill an empty database; its user must be a superuser."""
    for setting in (
        "session_replication_role = replica",  # foreign keys are not checked row by row
        "synchronous_commit = off",
        "maintenance_work_mem = '1GB'",
        "max_parallel_maintenance_workers = 0",  # they need more shared memory than a container has
    ):
        await connection.execute(f"SET {setting}")
    moment = await now(connection)
    await connection.execute("INSERT INTO guild (id) SELECT generate_series(0, $1 - 1)", size.guilds)
    await connection.execute(
        "INSERT INTO person (user_id, extra_offset_minutes) SELECT generate_series(0, $1 - 1, 4), 60", size.users
    )
    async with _without_indexes(connection, report=report):
        await _fill_games(connection, size, range(size.coming), moment=moment, report=report)
        await _fill_games(connection, size, range(size.coming, size.coming + size.over), moment=moment, report=report)
    for statement in _DUE:
        first, last = game_id(size.coming - size.due), game_id(size.coming - 1, _ROWS_PER_GAME)
        await connection.execute(statement, first, last, moment)
    report("vacuuming")
    for table in (*TABLES, "guild", "person"):
        await connection.execute(f"VACUUM (FREEZE, ANALYZE, PARALLEL 0) {table}", timeout=_SLOW)


async def _fill_games(connection: Connection, size: Size, numbers: range, *, moment: datetime, report: Report) -> None:
    is_over = numbers.start >= size.coming
    for start in range(numbers.start, numbers.stop, _BATCH):
        stop = min(start + _BATCH, numbers.stop)
        bounds = (numbers.start, len(numbers), start, stop)
        await connection.execute(_GAMES, *bounds, is_over, moment, size.guilds, size.users)
        players, *others = _ROWS
        ids = game_id(start), game_id(stop - 1, _ROWS_PER_GAME)
        await connection.execute(players, *ids, size.users)
        for statement in others:
            await connection.execute(statement, *ids)
        if stop == numbers.stop or stop // (10 * _BATCH) > start // (10 * _BATCH):
            report(f"{stop} games are there")


@asynccontextmanager
async def _without_indexes(connection: Connection, *, report: Report) -> AsyncIterator[None]:
    """Create the indexes that belong to no constraint after a block, which takes less time than to keep them."""
    found = await connection.fetch(_SECONDARY_INDEXES, TABLES)
    for index in found:
        await connection.execute(f"DROP INDEX {index['name']}")
    yield
    report("creating indexes")
    for index in found:
        await connection.execute(index["definition"], timeout=_SLOW)
