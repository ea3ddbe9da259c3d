"""A database whose user may not create tables, as every user but the owner from PostgreSQL 15 on."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text

from cli.commands.check.servers import check_database
from migrations.main import migrate
from sandbox.servers.postgres import Postgres
from shared import database as db
from shared.errors import ConfigurationError
from shared.settings import DatabaseOwnerSettings, DatabaseSettings, Timing


@pytest.fixture
async def guest(postgres_server: Postgres) -> AsyncIterator[DatabaseSettings]:
    """The settings of a user who owns nothing in a database without tables."""
    name, password = f"guest_{uuid.uuid4().hex}", uuid.uuid4().hex
    url = await postgres_server.create_database(name)
    owner = DatabaseSettings(url=SecretStr(url))
    async with db.engine(owner, application_name="test", timing=Timing()) as engine:
        async with engine.begin() as connection:
            await connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'"))
        as_guest = make_url(url).set(username=name, password=password).render_as_string(hide_password=False)
        yield DatabaseSettings(url=SecretStr(as_guest))
        async with engine.begin() as connection:
            await connection.execute(text(f"DROP ROLE {name}"))
    await postgres_server.drop_database(name)


async def test_the_migration_says_so_in_one_line(guest: DatabaseSettings) -> None:
    with pytest.raises(ConfigurationError) as refused:
        await migrate(guest, DatabaseOwnerSettings())
    assert str(refused.value).startswith("QUESTBELL_DATABASE_URL: permission denied for schema public; ")
    assert "GRANT" in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_the_check_says_so(guest: DatabaseSettings) -> None:
    [connected, schema] = await check_database(guest)
    assert connected.message.startswith("connected")
    assert "may not create tables" in schema.message
    assert "GRANT CREATE ON SCHEMA public" in schema.remedy
