"""Migrations of large tables hold nobody up, and continue where they were killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from alembic import command as alembic
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from migrations import command
from sandbox.servers.postgres import Postgres
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(400)

GAMES, REMINDERS = 3_000, 100
LONGEST_WAIT = 8.0
"""Seconds: the lock time-out of one, and what a busy machine takes."""
_WRITTEN = {"game": "version", "notification_schedule": "attempts", "notification_delivery": "attempts"}
GIVES_UP = 3
"""How often the migration must have given up waiting for the long transaction."""
_WAITS_FOR_TABLE = """
SELECT activity.pid, query_start FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
WHERE NOT granted AND mode = 'AccessExclusiveLock' AND datname = current_database()
"""
_FILL = f"""
INSERT INTO guild (id) VALUES (1);
INSERT INTO game (id, guild_id, channel_id, message_id, host_id, title, scheduled_at, zone, local_time, duration)
SELECT gen_random_uuid(), 1, 2, number, 3, 'Game', now() + number * interval '1 hour', 'UTC', now(), interval '3 hours'
FROM generate_series(1, {GAMES}) AS number;
INSERT INTO notification_schedule (id, game_id, game_version, kind, offset_minutes, due_at, attempt_at)
SELECT gen_random_uuid(), id, 1, 'reminder', number, scheduled_at - number * interval '1 minute',
    scheduled_at - number * interval '1 minute'
FROM game, generate_series(1, {REMINDERS}) AS number;
INSERT INTO notification_schedule (id, game_id, game_version, kind, due_at, attempt_at)
SELECT gen_random_uuid(), id, 1, 'announcement', now(), now() FROM game;
INSERT INTO notification_delivery (id, notification_id, recipient_kind, recipient_id, message_id)
SELECT gen_random_uuid(), id, 'channel', 2, 4 FROM notification_schedule WHERE offset_minutes < 20
"""


@pytest.fixture
async def url(postgres_server: Postgres) -> AsyncIterator[str]:
    """A database of the oldest revision with 303,000 notifications."""
    name = f"test_{uuid.uuid4().hex}"
    url = await postgres_server.create_database(name)
    engine = create_async_engine(url)
    await command.upgrade(engine, revision="0001")
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))  # checks no foreign keys
        for statement in _FILL.split(";"):
            await connection.execute(text(statement))
    await engine.dispose()
    yield url
    await postgres_server.drop_database(name)


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(url)
    yield engine
    await engine.dispose()


async def test_a_writer_never_waits_long(engine: AsyncEngine) -> None:
    held, migrated = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        waits = tasks.create_task(write_until(migrated, engine))
        tasks.create_task(hold_a_row(engine, held))
        await held.wait()
        await command.upgrade(engine)
        migrated.set()
    assert len(waits.result()) > 10
    assert max(waits.result()) < LONGEST_WAIT
    await check_schema(engine)


async def write_until(migrated: asyncio.Event, engine: AsyncEngine) -> list[float]:
    """Change rows of each large table that nobody else holds; return how many seconds each transaction took."""
    waits = []
    while not migrated.is_set():
        for table, column in _WRITTEN.items():
            row = f"(SELECT id FROM {table} WHERE id >= gen_random_uuid() ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)"
            started = time.monotonic()
            async with engine.begin() as connection:
                await connection.execute(text(f"UPDATE {table} SET {column} = {column} + 1 WHERE id = {row}"))
            waits.append(time.monotonic() - started)
        await asyncio.sleep(0.02)
    return waits


async def hold_a_row(engine: AsyncEngine, held: asyncio.Event) -> None:
    """Keep a transaction open, behind which a change of the table waits, and everybody behind that.

    It ends when the migration has given up waiting for it several times.
    """
    waits: set[object] = set()

    async def has_given_up() -> bool:
        async with engine.connect() as other:
            waits.update((await other.execute(text(_WAITS_FOR_TABLE))).all())
        return len(waits) > GIVES_UP

    async with engine.begin() as connection:
        await connection.execute(text("UPDATE notification_schedule SET attempts = 1 WHERE offset_minutes = 1"))
        held.set()
        await eventually(has_given_up)


async def test_a_migration_that_is_killed_continues(engine: AsyncEngine, url: str) -> None:
    before = await fetch(engine, "SELECT count(*) FROM notification_schedule")
    filled = "SELECT count(game_scheduled_at) > 20000 FROM notification_schedule"
    building = "SELECT count(*) > 0 FROM pg_stat_progress_create_index"
    for progress in (filled, building, building):
        await kill_migration(url, when=lambda progress=progress: fetch(engine, progress))
    assert await fetch(engine, "SELECT version_num FROM alembic_version") == "0001"
    await command.upgrade(engine)
    await check_schema(engine)
    assert await fetch(engine, "SELECT count(game_scheduled_at) FROM notification_schedule") == before


async def kill_migration(url: str, *, when: Callable[[], Awaitable[object]]) -> None:
    """Start `questbell migrate`, and kill it at some point."""
    environment = {**os.environ, "QUESTBELL_DATABASE_URL": url}
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "cli", "migrate", env=environment)
    try:

        async def reached() -> bool:
            try:
                return bool(await when())
            except Exception:  # the column does not exist yet
                return False

        await eventually(reached)
        assert child.returncode is None
    finally:
        child.send_signal(signal.SIGKILL)
        await child.wait()


async def fetch(engine: AsyncEngine, statement: str) -> object:
    async with engine.connect() as connection:
        return (await connection.execute(text(statement))).scalar_one()


async def check_schema(engine: AsyncEngine) -> None:
    """Check that nothing is missing or left over."""
    assert await command.current(engine) == command.head()
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: alembic.check(command.alembic_config(sync)))
    assert await fetch(engine, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
