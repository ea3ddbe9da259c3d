"""Do the servers answer as Questbell needs them to? Each check ends within seconds and never raises for a server."""

from __future__ import annotations

import asyncio
import re

from aio_pika import Connection
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cli.discord_access import patiently
from cli.finding import Finding
from cli.session import NAME, database_sessions
from shared import database
from shared.discord.client import DiscordClient
from shared.errors import ConfigurationError, QuestbellError
from shared.messaging.connection import UNAVAILABLE, connected
from shared.messaging.topology import EXCHANGE, QUEUES, Queue
from shared.settings import BrokerSettings, DatabaseSettings, DiscordSettings, Timing

OLDEST_RABBITMQ = (3, 10)
"""The first with at-least-once dead-lettering (https://www.rabbitmq.com/docs/quorum-queues#dead-lettering)."""
TIMEOUT = 10.0
"""Seconds for looking at all queues."""


async def check_database(settings: DatabaseSettings, *, release: str) -> list[Finding]:
    """Return whether PostgreSQL can be reached and has the tables of `release`, this release's revision."""
    name = "database"
    try:
        async with database_sessions(settings) as sessions, database.transaction(sessions) as session:
            version = (await session.execute(text("SHOW server_version"))).scalar_one()
            versions = await session.scalar(text("SELECT to_regclass('alembic_version')::text"))
            at = None if versions is None else await session.scalar(text("SELECT version_num FROM alembic_version"))
    except (QuestbellError, DBAPIError) as error:
        said = str(error).removeprefix("QUESTBELL_DATABASE_URL: ").partition("\n")[0]
        return [Finding.failed(name, said, "see QUESTBELL_DATABASE_URL, and that PostgreSQL runs"), _unseen("schema")]
    return [Finding.passed(name, f"PostgreSQL {version}"), schema(at, release=release)]


def schema(at: str | None, *, release: str) -> Finding:
    """Return whether a database at a revision serves this release. Revisions are numbered, so their names have their
    order, and a newer schema serves the release before."""
    mend = "run `questbell migrate`"
    if at is None:
        return Finding.failed("schema", "the database is empty", mend)
    if at < release:
        return Finding.failed("schema", f"it is at revision {at}, this release needs {release}", mend)
    if at > release:
        return Finding.passed("schema", f"revision {at}, newer than this release's {release}: compatible")
    return Finding.passed("schema", f"revision {at}, this release's")


async def check_broker(settings: BrokerSettings) -> list[Finding]:
    """Return whether RabbitMQ can be reached, is recent enough and has our queues as we declare them."""
    name, mend = "broker", "see QUESTBELL_AMQP_URL (user, password, virtual host), and that RabbitMQ runs"
    unseen = [_unseen("RabbitMQ version"), _unseen("queues")]
    try:
        async with connected(settings, name=NAME) as connection, asyncio.timeout(TIMEOUT):
            reached = Finding.passed(name, "RabbitMQ takes our credentials")
            return [reached, rabbitmq_version(_version(connection)), await _queues(connection)]
    except QuestbellError as error:
        return [Finding.failed(name, str(error), mend), *unseen]
    except UNAVAILABLE as error:
        return [Finding.failed(name, f"the connection was lost: {error or type(error).__name__}", mend), *unseen]


def rabbitmq_version(version: str) -> Finding:
    """Return whether a version of RabbitMQ has what we rely on."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers >= OLDEST_RABBITMQ:
        return Finding.passed("RabbitMQ version", version)
    needed = ".".join(map(str, OLDEST_RABBITMQ))
    return Finding.failed("RabbitMQ version", f"{version or 'unknown'} is too old", f"use {needed} or later")


async def check_discord(settings: DiscordSettings, timing: Timing) -> Finding:
    """Return whether Discord takes the bot's token."""
    name = "Discord token"
    try:
        async with DiscordClient.connected(settings, timing) as client:
            me = await patiently(client.get_own_user)
    except ConfigurationError as error:
        return Finding.failed(name, str(error), "put the new token into DISCORD_TOKEN")
    except QuestbellError as error:
        return Finding.failed(name, str(error), f"see whether {settings.api_url} (DISCORD_API_URL) can be reached")
    return Finding.passed(name, f"accepted: {me.get('username')} ({me.get('id')})")


async def _queues(connection: AbstractConnection) -> Finding:
    """Return whether exchange and queues are there, with the arguments that we declare them with.

    A passive declaration tells only that a queue exists. One that exists is therefore declared once more as the
    controllers do, which changes nothing and is refused when an argument differs; one that is missing is never
    declared here, since its absence tells the controllers that the broker lost its data.
    """
    name = "queues"
    names = [one for queue in QUEUES for one in (queue.name, queue.dead_letters)]
    missing = [one for one in names if not await _exists(connection, one)]
    if missing or not await _exchange_exists(connection):
        what = ", ".join(missing) or f"the exchange {EXCHANGE}"
        return Finding.failed(name, f"missing: {what}", "start `questbell controllers`, which declares them")
    different = [queue.name for queue in QUEUES if not await _is_ours(connection, queue)]
    if different:
        mend = "when they are empty, delete them and restart the controllers"
        return Finding.failed(name, f"declared by others, with other arguments: {', '.join(different)}", mend)
    return Finding.passed(name, f"{', '.join(queue.name for queue in QUEUES)}, each with its dead-letter queue")


async def _exists(connection: AbstractConnection, queue: str) -> bool:
    channel = await connection.channel()
    try:
        await channel.declare_queue(queue, passive=True)
    except ChannelNotFoundEntity:
        return False
    await channel.close()
    return True


async def _exchange_exists(connection: AbstractConnection) -> bool:
    channel = await connection.channel()
    try:
        await channel.get_exchange(EXCHANGE, ensure=True)
    except ChannelNotFoundEntity:
        return False
    await channel.close()
    return True


async def _is_ours(connection: AbstractConnection, queue: Queue) -> bool:
    channel = await connection.channel()
    try:
        await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
    except ChannelPreconditionFailed:
        return False
    await channel.close()
    return True


def _version(connection: AbstractConnection) -> str:
    transport = connection.transport if isinstance(connection, Connection) else None
    properties = {} if transport is None else transport.connection.server_properties
    version = properties.get("version", "")
    return version.decode() if isinstance(version, bytes) else str(version)


def _unseen(name: str) -> Finding:
    return Finding.skipped(name, "not looked at, since the server could not be reached")
