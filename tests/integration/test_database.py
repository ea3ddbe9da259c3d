"""The ways to the database, and the schema that must be there."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine

from migrations import command
from sandbox.servers.postgres import Postgres
from shared import database as db
from shared import schema
from shared.errors import TransientError
from shared.schedule.retry import Backoff
from shared.settings import DatabaseSettings, Timing
from tests.support.database import Database
from tests.support.tcp_server import serving
from tests.support.waiting import eventually

AT_ONCE = Backoff(first=0.01, longest=0.05)


@pytest.fixture
async def empty_url(postgres_server: Postgres) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    yield await postgres_server.create_database(name)
    await postgres_server.drop_database(name)


async def test_the_url_may_have_the_options_of_libpq(database: Database) -> None:
    url = SecretStr(f"{database.settings.url.get_secret_value()}?sslmode=disable")
    settings = database.settings.model_copy(update={"url": url})
    async with db.engine(settings, application_name="test", timing=Timing()) as engine:
        await db.ping(db.sessions(engine))


@pytest.mark.parametrize("said", [[], [b"N"], [b"N", b"R\0\0\0\x08\0\0\0\0"]], ids=["nothing", "no TLS", "welcome"])
async def test_a_server_that_disappears_during_connect_is_a_transient_error(said: list[bytes]) -> None:
    async def go_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in said:
            await reader.read(1024)
            writer.write(answer)

    async with serving(go_away) as port:
        settings = DatabaseSettings(url=SecretStr(f"postgresql://somebody@127.0.0.1:{port}/questbell"))
        async with db.engine(settings, application_name="test", timing=Timing()) as engine:
            with pytest.raises(TransientError, match="QUESTBELL_DATABASE_URL"):
                await db.ping(db.sessions(engine))


def test_the_required_schema_is_the_newest_revision() -> None:
    assert command.head() == schema.REVISION


async def test_a_process_waits_for_a_missing_schema(empty_url: str) -> None:
    settings = DatabaseSettings(url=SecretStr(empty_url))
    async with db.engine(settings, application_name="test", timing=Timing()) as engine:
        waiting = asyncio.create_task(schema.wait_for_schema(db.sessions(engine), backoff=AT_ONCE))
        await asyncio.sleep(0)
        migrating = create_async_engine(empty_url)
        await command.upgrade(migrating, revision="0001")
        assert not waiting.done()
        await command.upgrade(migrating)
        await migrating.dispose()
        await eventually(lambda: _done(waiting))
        waiting.result()


async def _done(task: asyncio.Task[None]) -> bool:
    return task.done()
