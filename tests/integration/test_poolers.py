"""PgBouncer in front of PostgreSQL: session mode works with our guards in force, transaction mode is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from sandbox.servers.directory import temporary_directory
from shared import database as db
from shared.errors import ConfigurationError, TransientError
from shared.settings import DatabaseSettings, Timing
from tests.support.database import Database
from tests.support.pgbouncer import obtain, pgbouncer


@pytest.fixture(scope="module")
async def files() -> AsyncIterator[Path]:
    with temporary_directory("pgbouncer-") as directory:
        yield await obtain(directory)


async def test_session_mode_works_with_the_guards_in_force(database: Database, files: Path, tmp_path: Path) -> None:
    url = database.settings.url.get_secret_value()
    async with pgbouncer(files, tmp_path, url=url, mode="session") as pooled:
        settings = DatabaseSettings(url=SecretStr(f"{pooled}?options=-c%20jit%3Doff"))
        async with db.engine(settings, application_name="test", timing=Timing()) as engine:
            sessions = db.sessions(engine)
            await db.ping(sessions)
            async with db.transaction(sessions) as session:
                for name, value in (
                    ("idle_in_transaction_session_timeout", "5s"),
                    ("statement_timeout", "9s"),
                    ("jit", "off"),
                    ("timezone", "UTC"),
                ):
                    assert (await session.execute(text(f"SHOW {name}"))).scalar_one() == value


async def test_transaction_mode_is_recognised_and_refused(database: Database, files: Path, tmp_path: Path) -> None:
    url = database.settings.url.get_secret_value()
    async with pgbouncer(files, tmp_path, url=url, mode="transaction") as pooled:
        settings = DatabaseSettings(url=SecretStr(pooled))
        async with db.engine(settings, application_name="test", timing=Timing()) as engine:
            with pytest.raises(ConfigurationError, match=r"^QUESTBELL_DATABASE_URL: .*transaction mode"):
                await db.ping(db.sessions(engine))


async def test_a_parameter_that_a_pooler_rejects_is_named(database: Database, files: Path, tmp_path: Path) -> None:
    url = database.settings.url.get_secret_value()
    async with pgbouncer(files, tmp_path, url=url, mode="session") as pooled:
        settings = DatabaseSettings(url=SecretStr(f"{pooled}?options=endpoint%3Dx"))
        with pytest.raises(ConfigurationError, match=r"^QUESTBELL_DATABASE_URL: unsupported startup parameter"):
            await db.connect(settings, application_name="test", timing=Timing())


async def test_a_full_pooler_is_an_outage(database: Database, files: Path, tmp_path: Path) -> None:
    """Some releases of PgBouncer give it the same state as a start-up parameter that they do not know."""
    url = database.settings.url.get_secret_value()
    async with pgbouncer(files, tmp_path, url=url, mode="session", clients=1) as pooled:
        settings = DatabaseSettings(url=SecretStr(pooled))
        only = await db.connect(settings, application_name="test", timing=Timing())
        try:
            with pytest.raises(TransientError, match="no more connections allowed"):
                await db.connect(settings, application_name="test", timing=Timing())
        finally:
            only.terminate()
