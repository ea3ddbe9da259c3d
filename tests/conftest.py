"""What every test may use: servers that start once a session, and a database and a broker of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from migrations import command
from sandbox.servers.postgres import Postgres, postgres
from sandbox.servers.rabbitmq import RabbitMQ, rabbitmq
from shared import database as db
from shared.database import Sessions
from shared.settings import BrokerSettings, DatabaseSettings, Timing

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))


def report(step: str) -> None:
    """Take the servers' progress; pytest shows it when a test fails."""
    print(step)


@pytest.fixture(scope="session")
async def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    async with postgres(tmp_path_factory.mktemp("postgres"), report=report) as server:
        yield server


@pytest.fixture(scope="session")
async def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RabbitMQ]:
    async with rabbitmq(tmp_path_factory.mktemp("rabbitmq"), report=report) as server:
        yield server


@pytest.fixture(scope="session")
async def migrated_template(postgres_server: Postgres) -> str:
    """The name of a migrated database, from which each test's own is copied in milliseconds."""
    engine = create_async_engine(await postgres_server.create_database("questbell_template"))
    await command.upgrade(engine)
    await engine.dispose()
    return "questbell_template"


@dataclass(frozen=True)
class Database:
    """A migrated database of one test's own."""

    settings: DatabaseSettings
    engine: AsyncEngine
    sessions: Sessions


@pytest.fixture
async def database(postgres_server: Postgres, migrated_template: str, timing: Timing) -> AsyncIterator[Database]:
    name = f"test_{uuid.uuid4().hex}"
    url = await postgres_server.create_database(name, template=migrated_template)
    settings = DatabaseSettings(url=SecretStr(url))
    async with db.engine(settings, application_name="test", timing=timing) as engine:
        yield Database(settings, engine, db.sessions(engine))
    await postgres_server.drop_database(name)


@pytest.fixture
async def broker(rabbitmq_server: RabbitMQ) -> AsyncIterator[BrokerSettings]:
    """A virtual host of one test's own."""
    name = f"test-{uuid.uuid4().hex}"
    yield BrokerSettings(url=SecretStr(await rabbitmq_server.add_vhost(name)))
    await rabbitmq_server.discard_vhost(name)


@pytest.fixture
def timing() -> Timing:
    return Timing()
