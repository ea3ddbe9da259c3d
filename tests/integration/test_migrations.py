from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from alembic import command as alembic
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from migrations import command
from migrations.main import migrate
from sandbox.servers.postgres import Postgres
from shared import database as db
from shared.models import Base
from shared.schedule.retry import Backoff
from shared.schema import wait_for_schema
from shared.settings import DatabaseOwnerSettings, DatabaseSettings, Timing

GAME, MOVED = "11111111-1111-7111-8111-111111111111", "22222222-2222-7222-8222-222222222222"
CHECK_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype = 'c' AND connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
"""Alembic does not compare them."""


@pytest.fixture
async def empty(postgres_server: Postgres) -> AsyncIterator[AsyncEngine]:
    name = f"test_{uuid.uuid4().hex}"
    engine = create_async_engine(await postgres_server.create_database(name))
    yield engine
    await engine.dispose()
    await postgres_server.drop_database(name)


async def run(engine: AsyncEngine, statement: str) -> list[tuple[object, ...]]:
    async with engine.begin() as connection:
        result = await connection.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


async def fill(engine: AsyncEngine) -> None:
    """Two games at revision 0001: one with a reminder and a notice, one that moved after a reminder was delivered."""
    await run(engine, "INSERT INTO guild (id) VALUES (1)")
    for game, start in ((GAME, "2026-11-01 20:00+00"), (MOVED, "2026-11-02 20:00+00")):
        await run(
            engine,
            f"""INSERT INTO game (id, guild_id, channel_id, host_id, title, scheduled_at, zone, local_time, duration)
                VALUES ('{game}', 1, 2, 3, 'Keep', '{start}', 'UTC', '{start}', interval '3 hours')""",
        )
    for game, kind, offset, due, settled in (
        (GAME, "reminder", "60", "2026-11-01 19:00+00", False),
        (GAME, "cancellation", "NULL", "2026-11-01 12:00+00", False),
        (MOVED, "reminder", "60", "2026-11-01 17:00+00", True),
        (MOVED, "reminder", "60", "2026-11-02 19:00+00", False),
    ):
        ended = ("NULL", f"'{due}'", "'superseded'") if settled else (f"'{due}'", "NULL", "NULL")
        await run(
            engine,
            f"""INSERT INTO notification_schedule
                (id, game_id, game_version, kind, offset_minutes, due_at, attempt_at, settled_at, outcome)
                VALUES ('{uuid.uuid4()}', '{game}', 1, '{kind}', {offset}, '{due}', {", ".join(ended)})""",
        )


async def test_a_filled_database_can_be_upgraded_and_downgraded(empty: AsyncEngine) -> None:
    await command.upgrade(empty, revision="0001")
    await fill(empty)
    before = await run(empty, "SELECT id, due_at, attempt_at FROM notification_schedule ORDER BY id")

    await command.upgrade(empty)
    times = await run(
        empty, "SELECT game_id::text, kind, game_scheduled_at::text FROM notification_schedule ORDER BY 3, 2"
    )
    assert times == [
        (MOVED, "reminder", "2026-11-01 18:00:00+00"),
        (GAME, "cancellation", "2026-11-01 20:00:00+00"),
        (GAME, "reminder", "2026-11-01 20:00:00+00"),
        (MOVED, "reminder", "2026-11-02 20:00:00+00"),
    ]
    with pytest.raises(IntegrityError, match="not-null"):
        await run(empty, "UPDATE notification_schedule SET game_scheduled_at = NULL")

    await command.downgrade(empty, revision="0001")
    assert await run(empty, "SELECT id, due_at, attempt_at FROM notification_schedule ORDER BY id") == before
    await command.upgrade(empty)
    assert await command.current(empty) == command.head()


async def test_an_empty_database_can_be_upgraded_and_downgraded(empty: AsyncEngine) -> None:
    await command.upgrade(empty)
    await command.downgrade(empty, revision="base")
    left = await run(empty, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert left == [("alembic_version",)]


async def test_models_and_migrations_agree(empty: AsyncEngine) -> None:
    await command.upgrade(empty)
    async with empty.connect() as connection:
        await connection.run_sync(lambda sync: alembic.check(command.alembic_config(sync)))


async def test_models_and_migrations_have_the_same_check_constraints(empty: AsyncEngine) -> None:
    await command.upgrade(empty)
    migrated = await run(empty, CHECK_CONSTRAINTS)
    await command.downgrade(empty, revision="base")
    async with empty.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    assert migrated == await run(empty, CHECK_CONSTRAINTS) != []


async def test_a_newer_schema_is_not_changed(empty: AsyncEngine) -> None:
    await command.upgrade(empty)
    await run(empty, "UPDATE alembic_version SET version_num = '9999'")
    await command.upgrade(empty)
    assert await command.current(empty) == "9999"


async def test_the_tables_of_the_pipeline_are_vacuumed_after_some_changes(empty: AsyncEngine) -> None:
    """Whatever their size: claims read past the index entries of dead rows."""
    options = "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL AND relkind = 'r' ORDER BY 1"
    await command.upgrade(empty)
    tables = dict(await run(empty, options))
    assert list(tables) == ["game_status_schedule", "notification_delivery", "notification_schedule"]
    for settings in tables.values():
        assert "autovacuum_vacuum_scale_factor=0.005" in settings
        assert "autovacuum_analyze_scale_factor=0.01" in settings

    await command.downgrade(empty, revision="0022")
    assert await run(empty, options) == []


def test_the_revisions_form_one_line() -> None:
    assert len(ScriptDirectory.from_config(command.alembic_config()).get_heads()) == 1


@pytest.fixture
async def accounts(empty: AsyncEngine) -> AsyncIterator[tuple[str, str]]:
    """The names of an account that owns the database, and of one for the workloads."""
    names = tuple(f"{part} {uuid.uuid4().hex[:8]}" for part in ("owner", "workloads"))
    for name in names:
        await run(empty, f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'p'")
    await run(empty, f'ALTER DATABASE "{empty.url.database}" OWNER TO "{names[0]}"')
    yield names[0], names[1]
    await run(empty, f'ALTER DATABASE "{empty.url.database}" OWNER TO CURRENT_USER')
    for name in names:
        await run(empty, f'DROP OWNED BY "{name}"')
        await run(empty, f'DROP ROLE "{name}"')


async def test_the_owner_grants_the_workloads_their_rows_only(empty: AsyncEngine, accounts: tuple[str, str]) -> None:
    owner, workloads = (SecretStr(_url(empty, account)) for account in accounts)
    for _ in range(2):
        await migrate(DatabaseSettings(url=workloads), DatabaseOwnerSettings(url=owner))
    engine = create_async_engine(_url(empty, accounts[1]))
    try:
        await run(engine, "INSERT INTO guild (id) VALUES (1)")
        await run(engine, "UPDATE guild SET zone = 'UTC'")
        assert len(await run(engine, "SELECT * FROM guild")) == 1
        for statement in (
            "CREATE TABLE more ()",
            "DROP TABLE guild",
            "ALTER TABLE guild ADD more int",
            "TRUNCATE guild",
        ):
            with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
                await run(engine, statement)
        await run(engine, "DELETE FROM guild")
    finally:
        await engine.dispose()


async def test_workloads_that_start_during_the_first_migration_wait_for_it(
    empty: AsyncEngine, accounts: tuple[str, str]
) -> None:
    owner, workloads = (SecretStr(_url(empty, account)) for account in accounts)
    settings, backoff = DatabaseSettings(url=workloads), Backoff(first=0.01, longest=0.01)
    async with db.engine(settings, application_name="test", timing=Timing()) as engine, asyncio.TaskGroup() as tasks:
        tasks.create_task(wait_for_schema(db.sessions(engine), backoff=backoff))
        tasks.create_task(migrate(settings, DatabaseOwnerSettings(url=owner)))


def _url(engine: AsyncEngine, account: str) -> str:
    return engine.url.set(username=account, password="p").render_as_string(hide_password=False)
