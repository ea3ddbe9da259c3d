"""Fixtures of every layer: servers that start once a session, and a database and a virtual host for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
import structlog
from hypothesis import settings
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine

from migrations import command
from sandbox.servers.postgres import Postgres, postgres
from sandbox.servers.rabbitmq import RabbitMQ, rabbitmq
from shared import database as db
from shared.messaging.connection import connected
from shared.messaging.publisher import Publisher
from shared.messaging.topology import Queue
from shared.settings import BrokerSettings, DatabaseSettings, Timing
from tests.support import transition_check
from tests.support.broker import declare_all
from tests.support.database import Database
from tests.support.servers import report

settings.register_profile("unhurried", parent=settings(), deadline=None)  # a busy machine fails no test
settings.load_profile("unhurried")
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))


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
    """The name of a migrated database that each test copies in milliseconds. It checks each change of a row."""
    engine = create_async_engine(await postgres_server.create_database("questbell_template"))
    await command.upgrade(engine)
    async with engine.begin() as connection:
        await transition_check.install(connection)
    await engine.dispose()
    return "questbell_template"


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
    """A virtual host that only one test uses."""
    name = f"test-{uuid.uuid4().hex}"
    yield BrokerSettings(url=SecretStr(await rabbitmq_server.add_vhost(name)))
    await rabbitmq_server.discard_vhost(name)


@pytest.fixture
def timing() -> Timing:
    return Timing()


@pytest.fixture
async def declared(broker: BrokerSettings) -> BrokerSettings:
    """A broker on which our topology is declared."""
    async with connected(broker, name="test") as connection:
        await declare_all(connection)
    return broker


@pytest.fixture
def patient() -> Timing:
    """Limits for tests that are not about speed: a busy broker takes seconds to make quorum queues."""
    return Timing(publish_timeout=30, transaction_timeout=40)


@pytest.fixture
async def publisher(broker: BrokerSettings, patient: Timing) -> AsyncIterator[Publisher]:
    made = Publisher(broker, patient, name="test", on_queue_lost=_nothing)
    await made.connect()
    yield made
    await made.close()


async def _nothing(_queue: Queue) -> None:
    return
