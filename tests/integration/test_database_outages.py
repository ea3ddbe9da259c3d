"""A server that answers, but cannot do it now: every such state is an outage, and none is taken for a bug."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from controllers.leader_election import LeaderElection
from controllers.loops.notify_listener import NotifyListener
from sandbox.servers.postgres import Postgres
from shared import database as db
from shared.errors import ConfigurationError, TransientError
from shared.settings import Timing
from tests.support.database import Database

OUTAGES = [
    *("08006", "08P01"),
    *("25P03", "25P04"),
    *("40001", "40P01", "40003"),
    *("53000", "53100", "53200", "53300", "53400"),
    *("55006", "55P03"),
    *("57000", "57014", "57P01", "57P02", "57P03", "57P04", "57P05"),
    *("58000", "58030", "58P01"),
    *("XX000", "XX001", "XX002"),
]


async def run(database: Database, *statements: str) -> None:
    async with db.transaction(database.sessions) as session:
        for statement in statements:
            await session.execute(text(statement))


def raising(state: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = '{state}'; END $$"


@pytest.mark.parametrize("state", OUTAGES)
async def test_a_state_of_the_server_is_an_outage(database: Database, state: str) -> None:
    with pytest.raises(TransientError, match=r"database unavailable \(QUESTBELL_DATABASE_URL\): as asked"):
        await run(database, raising(state))


@pytest.mark.parametrize("state", ["22P02", "23505", "25001", "25P02", "42601", "42P01", "55000"])
async def test_a_mistake_of_ours_stays_a_bug(database: Database, state: str) -> None:
    with pytest.raises(DBAPIError):
        await run(database, raising(state))


@pytest.mark.parametrize("state", ["28000", "28P01", "3D000", "3F000", "42501"])
async def test_what_a_person_must_change_names_the_setting(database: Database, state: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^QUESTBELL_DATABASE_URL: as asked"):
        await run(database, raising(state))


async def test_a_lock_a_limit_and_a_cancellation_are_outages(database: Database) -> None:
    spilling = ("SET LOCAL work_mem = '64kB'", "SET LOCAL temp_file_limit = 0")
    with pytest.raises(TransientError, match="temporary file size exceeds temp_file_limit"):
        await run(database, *spilling, "SELECT i FROM generate_series(1, 100000) AS i ORDER BY i DESC")
    async with db.transaction(database.sessions) as session:
        await session.execute(text("LOCK TABLE game"))
        with pytest.raises(TransientError, match="lock timeout"):
            await run(database, "SET LOCAL lock_timeout = '20ms'", "LOCK TABLE game")
    with pytest.raises(TransientError, match="canceling statement"):
        await run(database, "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)")


async def test_a_plan_that_a_migration_outdated_is_made_again(database: Database) -> None:
    await run(database, "CREATE TABLE changing (a int)", "INSERT INTO changing VALUES (1)")
    read = "SELECT * FROM changing"
    await run(database, read)
    other = await db.connect(database.settings, application_name="test", timing=Timing())
    await other.execute("ALTER TABLE changing ADD b int")
    other.terminate()
    with pytest.raises(TransientError, match="cached statement plan is invalid"):
        await run(database, "SELECT 1", read)
    await run(database, "SELECT 1", read)


@pytest.fixture
async def read_only(postgres_server: Postgres, database: Database) -> AsyncIterator[None]:
    """A server that refuses writes, after the pool connected to it."""
    await db.ping(database.sessions)
    await postgres_server.set_read_only(True)
    yield
    await postgres_server.set_read_only(False)


@pytest.mark.usefixtures("read_only")
class TestReadOnly:
    async def test_the_probe_says_so(self, database: Database) -> None:
        with pytest.raises(TransientError, match="the server only reads"):
            await db.ping(database.sessions)

    async def test_no_connection_is_kept(self, database: Database, postgres_server: Postgres) -> None:
        pids = []
        for _ in range(2):
            async with db.transaction(database.sessions) as session:
                pids.append((await session.execute(text("SELECT pg_backend_pid()"))).scalar_one())
        assert pids[0] != pids[1]
        with pytest.raises(TransientError, match="the server only reads"):
            await run(database, "CREATE TABLE forbidden ()")
        await postgres_server.set_read_only(False)
        await run(database, "CREATE TABLE allowed ()")

    async def test_the_listener_and_the_leader_leave_it(self, database: Database) -> None:
        timing = Timing()
        for running in (
            NotifyListener(database.settings, timing),
            LeaderElection(database.settings, timing, namespace="x"),
        ):
            with pytest.raises(TransientError, match="the server only reads"):
                async with asyncio.timeout(10):
                    await running.run()


async def test_errors_outside_a_session_are_translated_too(database: Database) -> None:
    connection: asyncpg.Connection = await db.connect(database.settings, application_name="test", timing=Timing())
    with pytest.raises(TransientError, match="as asked"), db.translated():
        await connection.execute(raising("53100"))
    connection.terminate()
