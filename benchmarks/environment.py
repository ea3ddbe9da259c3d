"""The environment of a benchmark: servers, new databases and virtual hosts, and the three processes.

The servers are private ones unless settings name others. The report shows whether a commit waits for the disk: with
the sandbox's PostgreSQL it does not.
"""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.plan import Plan
from benchmarks.process import Worker
from benchmarks.rows import Connection
from migrations import command
from sandbox.servers import Postgres, RabbitMQ, Report, postgres, rabbitmq
from sandbox.servers.directory import subdirectory, temporary_directory

_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True)
class Servers:
    """The servers that all measurements share, and a directory for logs."""

    database: Postgres
    broker: RabbitMQ
    directory: Path
    load: float
    """The machine's load before they started."""


@dataclass(frozen=True)
class Environment:
    """A connection to the database for the load, an engine for the oracle, and the processes."""

    database: Connection
    database_url: str
    engine: AsyncEngine
    dispatcher: Worker
    bot: Worker
    bare: Worker
    machine: dict[str, object]


@asynccontextmanager
async def start_servers(*, report: Report) -> AsyncIterator[Servers]:
    """Run the servers for a block."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(temporary_directory("bench-"))
        load = os.getloadavg()[0]
        server = await stack.enter_async_context(postgres(subdirectory(directory, "postgres"), report=report))
        broker = await stack.enter_async_context(rabbitmq(subdirectory(directory, "rabbitmq"), report=report))
        yield Servers(server, broker, directory, load)


@asynccontextmanager
async def environment(servers: Servers, plan: Plan) -> AsyncIterator[Environment]:
    """Run the processes for a block, on a new database and virtual host."""
    async with AsyncExitStack() as stack:
        database_url = await stack.enter_async_context(new_database(servers.database))
        broker_url = await stack.enter_async_context(new_vhost(servers.broker))
        connection = await stack.enter_async_context(connect(database_url))
        engine = create_async_engine(database_url)
        await command.upgrade(engine)
        stack.push_async_callback(engine.dispose)
        settings = {
            "QUESTBELL_DATABASE_URL": database_url,
            "QUESTBELL_AMQP_URL": broker_url,
            "QUESTBELL_AMQP_PREFETCH": str(plan.prefetch),
        }
        dispatcher, bot, bare = [
            await stack.enter_async_context(Worker(name, directory=servers.directory, environment=settings))
            for name in ("dispatcher", "bot", "bare")
        ]
        machine = {"load_before": round(servers.load, 2), **await _machine(connection, broker_url)}
        yield Environment(connection, database_url, engine, dispatcher, bot, bare, machine)


@asynccontextmanager
async def new_database(server: Postgres) -> AsyncIterator[str]:
    """Create an empty database for a block, and yield its URL."""
    name = f"bench_{uuid.uuid4().hex}"
    url = await server.create_database(name)
    try:
        yield url
    finally:
        await server.drop_database(name)


@asynccontextmanager
async def connect(database_url: str) -> AsyncIterator[Connection]:
    """Connect to a database for a block."""
    connection = await asyncpg.connect(database_url.replace("+asyncpg", "", 1), command_timeout=120)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def new_vhost(broker: RabbitMQ) -> AsyncIterator[str]:
    """Add a virtual host, so that no existing queues are filled; a broker given by settings refuses it."""
    name = f"bench-{uuid.uuid4().hex}"
    try:
        yield await broker.add_vhost(name)
    finally:
        await broker.discard_vhost(name)


async def _machine(connection: Connection, broker_url: str) -> dict[str, object]:
    settings = {name: await connection.fetchval("SELECT current_setting($1)", name) for name in _SETTINGS}
    return {
        "cores": os.cpu_count(),
        "cpu": _processor(),
        "python": platform.python_version(),
        "postgres": settings.pop("server_version"),
        "postgres_settings": settings,
        "rabbitmq": await _broker_version(broker_url),
    }


async def _broker_version(url: str) -> str:
    async with await aio_pika.connect(url) as connection:
        properties = connection.transport.connection.server_properties if connection.transport else {}
        return str(properties.get("version", "?"))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
