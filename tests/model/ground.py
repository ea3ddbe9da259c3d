"""The database of the runs: its clock stands still until a run sets it, and it writes down every change of a row.

The clock functions of a schema that stands before PostgreSQL's own in the search path give the time that was set. So
what happens exactly at a lease's end can be asked, nothing sleeps, and a process that went by its own clock would be
years off. Moving every row back in time was rejected: the milliseconds of the statements would blur each boundary.
Changes are written by triggers, in the transactions that make them: what is read here was committed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.settings import DatabaseSettings

BEGINNING = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
GAME, SCHEDULE, STATUS, LEDGER = "game", "notification_schedule", "game_status_schedule", "notification_delivery"
_WATCHED = (GAME, SCHEDULE, STATUS, LEDGER)
_NOBODY = "nobody"
_CLOCKS = ("clock_timestamp", "statement_timestamp", "transaction_timestamp", "now")

_SCRIPT = """
CREATE SCHEMA model;
CREATE TABLE model.clock (at timestamptz NOT NULL);
INSERT INTO model.clock VALUES ('2030-01-01 12:00+00');
CREATE TABLE model.change (
    n bigserial PRIMARY KEY, transaction xid8 NOT NULL DEFAULT pg_current_xact_id(), who text NOT NULL,
    "table" text NOT NULL, row_id uuid NOT NULL, before jsonb, after jsonb
);
CREATE FUNCTION model.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO model.change (who, "table", row_id, before, after)
    VALUES (current_setting('application_name'), TG_TABLE_NAME, coalesce(NEW.id, OLD.id), to_jsonb(OLD), to_jsonb(NEW));
    RETURN NULL;
END $$;
"""


@dataclass(frozen=True)
class Change:
    """What one transaction made of one row. `before` is None for a new row, `after` for one that is gone."""

    who: str
    table: str
    row_id: UUID
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


class Ground:
    """The hands on the database that are not the product's."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection
        self.now = BEGINNING

    @classmethod
    @asynccontextmanager
    async def prepared(cls, settings: DatabaseSettings) -> AsyncIterator[Ground]:
        """Give a fresh database its clock and its triggers; sessions that begin later see them."""
        dsn = settings.url.get_secret_value().replace("+asyncpg", "", 1)
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(_SCRIPT)
            for name in _CLOCKS:
                body = "SELECT at FROM model.clock"
                await connection.execute(f"CREATE FUNCTION model.{name}() RETURNS timestamptz LANGUAGE sql AS '{body}'")
            for table in _WATCHED:
                event = "INSERT OR UPDATE OR DELETE"
                await connection.execute(
                    f"CREATE TRIGGER note AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION model.note()"
                )
            name = await connection.fetchval("SELECT quote_ident(current_database())")
            await connection.execute(f"ALTER DATABASE {name} SET search_path = model, pg_catalog, public")
            yield cls(connection)
        finally:
            await connection.close()

    async def set_clock(self, now: datetime) -> None:
        """Let it be that time."""
        self.now = now
        await self._connection.execute("UPDATE model.clock SET at = $1", now)

    async def changes(self) -> list[Change]:
        """Return what was committed since this was last asked, and did change something, in the order it was done."""
        taken = await self._connection.fetch("DELETE FROM model.change RETURNING *")
        folded: dict[tuple[object, str, UUID], Change] = {}
        for row in sorted(taken, key=lambda row: row["n"]):
            key = (row["transaction"], row["table"], row["row_id"])
            before = folded[key].before if key in folded else _read(row["before"])
            folded[key] = Change(row["who"], row["table"], row["row_id"], before, _read(row["after"]))
        return [change for change in folded.values() if change.before != change.after and change.who != _NOBODY]

    async def execute(self, statement: str, *values: object) -> None:
        """Do to the database what no process of ours does, unnoticed by the log."""
        async with self._connection.transaction():
            await self._connection.execute(f"SET LOCAL application_name = '{_NOBODY}'")
            await self._connection.execute(statement, *values)

    async def wipe(self) -> None:
        """Forget everything, and begin anew."""
        await self._connection.execute("TRUNCATE guild, person, model.change CASCADE")
        await self.set_clock(BEGINNING)


def _read(value: str | None) -> Mapping[str, Any] | None:
    return None if value is None else json.loads(value)
