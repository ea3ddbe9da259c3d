"""The database of the runs, whose clock stands still until a run sets it.

A schema before PostgreSQL's own in the search path has clock functions that return the time that was set. So a run can
ask what happens exactly at a lease's end, nothing sleeps, and a process that used its own clock would be years off.
Moving all rows back in time was rejected: the milliseconds of the statements would blur each boundary.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from shared.models import DeliveryState, GameStatus, Outcome
from shared.settings import DatabaseSettings
from tests.model.state import Delivery, Game, Row
from tests.support.transition_check import BYPASS
from tests.support.transitions import NOTIFICATIONS, STATUSES

START = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
_CLOCKS = ("clock_timestamp", "statement_timestamp", "transaction_timestamp", "now")
_GAMES = """
SELECT game.*, ARRAY(
    SELECT user_id FROM participant WHERE game_id = game.id ORDER BY joined_at, user_id
) AS players, ARRAY(
    SELECT user_id FROM response
    WHERE game_id = game.id AND answer = 'waitlisted' ORDER BY answered_at, user_id
) AS waiting, ARRAY(
    SELECT user_id FROM participant WHERE game_id = game.id AND offered_until IS NOT NULL ORDER BY user_id
) AS offered, ARRAY(
    SELECT user_id FROM response WHERE game_id = game.id AND answer <> 'waitlisted' ORDER BY user_id
) AS answered
FROM game
"""


class FrozenDatabase:
    """The run's own connection: it sets the clock, reads all rows, and prepares what no process of ours does."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection
        self.now = START

    @classmethod
    @asynccontextmanager
    async def prepared(cls, settings: DatabaseSettings) -> AsyncIterator[FrozenDatabase]:
        """Give a fresh database its clock; connections that are opened later use it."""
        dsn = settings.url.get_secret_value().replace("+asyncpg", "", 1)
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute("CREATE SCHEMA model; CREATE TABLE model.clock (at timestamptz NOT NULL)")
            await connection.execute("INSERT INTO model.clock VALUES ($1)", START)
            for name in _CLOCKS:
                body = "SELECT at FROM model.clock"
                await connection.execute(f"CREATE FUNCTION model.{name}() RETURNS timestamptz LANGUAGE sql AS '{body}'")
            name = await connection.fetchval("SELECT quote_ident(current_database())")
            await connection.execute(f"ALTER DATABASE {name} SET search_path = model, pg_catalog, public")
            yield cls(connection)
        finally:
            await connection.close()

    async def set_clock(self, now: datetime) -> None:
        """Set the time."""
        self.now = now
        await self._connection.execute("UPDATE model.clock SET at = $1", now)

    async def execute(self, statement: str, *values: object) -> None:
        """Change rows as no process of ours does."""
        async with self._connection.transaction():
            await self._connection.execute(f"SET LOCAL {BYPASS} = 'on'")
            await self._connection.execute(statement, *values)

    async def clear(self) -> None:
        """Delete everything and set the clock back."""
        await self._connection.execute("TRUNCATE guild, person, transitions.seen CASCADE")
        await self.set_clock(START)

    async def transitions(self) -> set[str]:
        """Return the keys of the transitions that were seen."""
        return {record["key"] for record in await self._connection.fetch("SELECT DISTINCT key FROM transitions.seen")}

    async def games(self) -> list[Game]:
        return [_game(record) for record in await self._connection.fetch(_GAMES)]

    async def rows(self) -> list[Row]:
        """Return the rows of both schedules."""
        found = await self._connection.fetch(f"SELECT *, kind AS what FROM {NOTIFICATIONS}")
        rows = [_row(NOTIFICATIONS, record, record["offset_minutes"], record["game_scheduled_at"]) for record in found]
        found = await self._connection.fetch(f"SELECT *, target_status AS what FROM {STATUSES}")
        return rows + [_row(STATUSES, record, None, None) for record in found]

    async def deliveries(self) -> list[Delivery]:
        return [_delivery(record) for record in await self._connection.fetch("SELECT * FROM notification_delivery")]


def _game(record: asyncpg.Record) -> Game:
    duration: timedelta = record["duration"]
    return Game(
        id=record["id"],
        host_id=record["host_id"],
        scheduled_at=record["scheduled_at"],
        duration=duration,
        offsets=tuple(record["reminder_offsets"]),
        status=GameStatus(record["status"]),
        version=record["version"],
        message_id=record["message_id"],
        players=tuple(record["players"]),
        waiting=tuple(record["waiting"]),
        capacity=record["capacity"],
        offered=tuple(record["offered"]),
        answered=tuple(record["answered"]),
    )


def _row(table: str, record: asyncpg.Record, offset: int | None, game_scheduled_at: datetime | None) -> Row:
    return Row(
        id=record["id"],
        table=table,
        game_id=record["game_id"],
        what=record["what"],
        version=record["game_version"],
        due_at=record["due_at"],
        attempt_at=record["attempt_at"],
        offset=offset,
        game_scheduled_at=game_scheduled_at,
        user_ids=tuple(record.get("user_ids", ())),
        user_id=record.get("user_id"),
        attempts=record["attempts"],
        outcome=Outcome(record["outcome"]) if record["outcome"] else None,
        settled_at=record["settled_at"],
    )


def _delivery(record: asyncpg.Record) -> Delivery:
    return Delivery(
        id=record["id"],
        row_id=record["notification_id"],
        recipient=(record["recipient_kind"], record["recipient_id"]),
        chunk=record["chunk"],
        mentions=tuple(record["mentions"]),
        state=DeliveryState(record["state"]),
        attempts=record["attempts"],
        first_sending_at=record["first_sending_at"],
        lease_until=record["lease_until"],
        message_id=record["message_id"],
    )
