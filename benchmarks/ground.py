"""What a benchmark stands on: servers, a database and a virtual host of its own, and the three processes.

The servers are the sandbox's, so private ones unless settings give others. Whether a commit waits for the disk is the
server's affair and is shown with the figures: the sandbox's PostgreSQL does not.
"""

from __future__ import annotations

import os
import platform
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import asyncpg
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.plan import Plan
from benchmarks.process import Worker
from benchmarks.rows import Connection
from migrations import command
from sandbox.servers import Postgres, RabbitMQ, Report, postgres, rabbitmq

_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True)
class Ground:
    """The servers' addresses, a connection of the benchmark's own, and the processes."""

    database: Connection
    dispatcher: Worker
    bot: Worker
    bare: Worker
    machine: dict[str, object]


@asynccontextmanager
async def ground(plan: Plan, *, report: Report) -> AsyncIterator[Ground]:
    """Run servers and processes for a block."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(_directory())
        load = os.getloadavg()[0]
        server = await stack.enter_async_context(postgres(_made(directory / "postgres"), report=report))
        broker = await stack.enter_async_context(rabbitmq(_made(directory / "rabbitmq"), report=report))
        database_url = await stack.enter_async_context(_database(server))
        broker_url = await stack.enter_async_context(_vhost(broker))
        connection = await asyncpg.connect(database_url.replace("+asyncpg", "", 1), command_timeout=120)
        stack.push_async_callback(connection.close)
        environment = {
            "QUESTBELL_DATABASE_URL": database_url,
            "QUESTBELL_AMQP_URL": broker_url,
            "QUESTBELL_AMQP_PREFETCH": str(plan.prefetch),
        }
        dispatcher, bot, bare = [
            await stack.enter_async_context(Worker(name, directory=directory, environment=environment))
            for name in ("dispatcher", "bot", "bare")
        ]
        machine = {"load_before": round(load, 2), **await _machine(connection, broker_url)}
        yield Ground(connection, dispatcher, bot, bare, machine)


@asynccontextmanager
async def _database(server: Postgres) -> AsyncIterator[str]:
    name = f"bench_{uuid.uuid4().hex}"
    url = await server.create_database(name)
    try:
        engine = create_async_engine(url)
        await command.upgrade(engine)
        await engine.dispose()
        yield url
    finally:
        await server.drop_database(name)


@asynccontextmanager
async def _vhost(broker: RabbitMQ) -> AsyncIterator[str]:
    """A virtual host of our own, so that nobody's queues are filled; a broker that was given refuses it."""
    name = f"bench-{uuid.uuid4().hex}"
    try:
        yield await broker.add_vhost(name)
    finally:
        await broker.discard_vhost(name)


async def _machine(connection: Connection, broker_url: str) -> dict[str, object]:
    told = {name: await connection.fetchval("SELECT current_setting($1)", name) for name in _SETTINGS}
    return {
        "cores": os.cpu_count(),
        "cpu": _processor(),
        "python": platform.python_version(),
        "postgres": told.pop("server_version"),
        "postgres_settings": told,
        "rabbitmq": await _broker_version(broker_url),
    }


async def _broker_version(url: str) -> str:
    async with await aio_pika.connect(url) as connection:
        properties = connection.transport.connection.server_properties if connection.transport else {}
        return str(properties.get("version", "?"))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="questbell-bench-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # servers that run as users of their own find their directories in it
        yield directory


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o711)
    return directory
