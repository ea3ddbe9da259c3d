"""Checks the servers. Each check ends within seconds and reports errors instead of raising them."""

from __future__ import annotations

import asyncio
import re

from aio_pika import Connection
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from cli.commands.check.result import CheckResult, CheckStatus
from cli.commands.connections import APPLICATION_NAME, call_discord, open_sessions
from shared import database, sql
from shared.discord.client import DiscordClient
from shared.errors import ConfigurationError, QuestbellError
from shared.formatting import plural
from shared.messaging.connection import connected, open_channel, translated
from shared.messaging.topology import EXCHANGE, QUEUES, Queue, inspect
from shared.models import GameStatus, NotificationKind
from shared.schema import GRANT_CREATE, REVISION
from shared.settings import BrokerSettings, DatabaseSettings, DiscordSettings, Timing

OLDEST_RABBITMQ = (3, 10)
"""The first with at-least-once dead-lettering (https://www.rabbitmq.com/docs/quorum-queues#dead-lettering)."""
TIMEOUT = 10.0
"""Seconds for checking all queues."""
_MAY_CREATE = text("SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)")
_ROW_CAP = 10_000
_STATS = sql.load("stats")
_UNREACHABLE = "not checked, because the server could not be reached"


async def check_database(settings: DatabaseSettings) -> list[CheckResult]:
    """Check that PostgreSQL accepts the connection and has a compatible schema."""
    name = "database"
    try:
        async with open_sessions(settings) as sessions:
            await database.ping(sessions)
            async with database.transaction(sessions) as session:
                version = await session.scalar(text("SHOW server_version"))
                revision = await _read_revision(session)
                may_create = await session.scalar(_MAY_CREATE)
                schema = check_schema(revision, may_create=bool(may_create))
                rows = await _check_rows(session) if schema.status is CheckStatus.PASSED else []
    except (QuestbellError, DBAPIError) as error:
        message = _message(error, "QUESTBELL_DATABASE_URL")
        remedy = "check QUESTBELL_DATABASE_URL and that PostgreSQL is running"
        return [CheckResult.failed(name, message, remedy), CheckResult.skipped("schema", _UNREACHABLE)]
    return [CheckResult.passed(name, f"connected to PostgreSQL {version}"), schema, *rows]


async def _check_rows(session: AsyncSession) -> list[CheckResult]:
    """Check for open rows that only a newer release knows."""
    newer = 0
    for statement, kinds in (("count_notifications", NotificationKind), ("count_transitions", GameStatus)):
        counts = await session.execute(_STATS[statement], {"limit": _ROW_CAP, "kinds": list(kinds)})
        newer += counts.mappings().one()["newer"]
    if not newer:
        return []
    message = f"a newer release wrote {plural(newer, 'row')} that only it can handle"
    return [CheckResult.failed("rows", message, "upgrade to that release again; the other rows are not affected")]


async def _read_revision(session: AsyncSession) -> str | None:
    is_migrated = await session.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    return await session.scalar(text("SELECT version_num FROM alembic_version")) if is_migrated else None


def check_schema(revision: str | None, *, may_create: bool = True, needed: str = REVISION) -> CheckResult:
    """Check a schema's revision. A newer one is compatible."""
    name, remedy = "schema", "run `questbell migrate`"
    if not may_create and (revision is None or revision < needed):
        message = "the user may not create tables in the schema of the database"
        return CheckResult.failed(
            name,
            message,
            f"{remedy} with the URL of the owner in QUESTBELL_DATABASE_OWNER_URL, or let it run `{GRANT_CREATE}`",
        )
    if revision is None:
        return CheckResult.failed(name, f"the database has no schema; this release needs revision {needed}", remedy)
    if revision < needed:
        return CheckResult.failed(name, f"at revision {revision}; this release needs {needed}", remedy)
    if revision > needed:
        return CheckResult.passed(name, f"revision {revision}, newer than {needed} but compatible")
    return CheckResult.passed(name, f"revision {revision}")


async def check_broker(settings: BrokerSettings) -> list[CheckResult]:
    """Check that RabbitMQ is available, recent enough and has our queues."""
    name = "broker"
    remedy = "check QUESTBELL_AMQP_URL (user, password, virtual host) and that RabbitMQ is running"
    skipped = [CheckResult.skipped("RabbitMQ version", _UNREACHABLE), CheckResult.skipped("queues", _UNREACHABLE)]
    try:
        with translated():
            async with connected(settings, name=APPLICATION_NAME) as connection, asyncio.timeout(TIMEOUT):
                passed = CheckResult.passed(name, "connected to RabbitMQ")
                return [passed, check_rabbitmq_version(_version(connection)), await _check_queues(connection)]
    except QuestbellError as error:
        return [CheckResult.failed(name, _message(error, "QUESTBELL_AMQP_URL"), remedy), *skipped]


def check_rabbitmq_version(version: str) -> CheckResult:
    """Check RabbitMQ's version."""
    name, oldest = "RabbitMQ version", ".".join(map(str, OLDEST_RABBITMQ))
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers >= OLDEST_RABBITMQ:
        return CheckResult.passed(name, version)
    return CheckResult.failed(name, f"{version or 'unknown'} is too old", f"upgrade to {oldest} or later")


async def check_discord(settings: DiscordSettings, timing: Timing) -> CheckResult:
    """Check that Discord accepts the bot's token."""
    name = "Discord token"
    try:
        async with DiscordClient.connected(settings, timing) as client:
            user = await call_discord(client.get_own_user)
    except ConfigurationError as error:
        return CheckResult.failed(name, _message(error, "DISCORD_TOKEN"), "put the new token into DISCORD_TOKEN")
    except QuestbellError as error:
        return CheckResult.failed(name, str(error), f"check that {settings.api_url} (DISCORD_API_URL) can be reached")
    return CheckResult.passed(name, f"accepted for {user.get('username')} ({user['id']})")


async def _check_queues(connection: AbstractConnection) -> CheckResult:
    """Check that the exchange and the queues exist with our arguments.

    Declaring an existing queue again fails if an argument differs. A missing one is never declared, because the
    controllers take its absence as a sign of data loss.
    """
    name = "queues"
    queue_names = dict.fromkeys(name for queue in QUEUES for name in (queue.name, queue.dead_letters))
    missing = [queue_name for queue_name in queue_names if await inspect(connection, queue_name) is None]
    if missing or not await _exchange_exists(connection):
        what = ", ".join(missing) or f"exchange {EXCHANGE}"
        return CheckResult.failed(name, f"missing: {what}", "start `questbell controllers`, which declares them")
    different = [queue.name for queue in QUEUES if not await _has_our_arguments(connection, queue)]
    if different:
        remedy = "if they are empty, delete them and restart the controllers"
        return CheckResult.failed(name, f"declared with other arguments: {', '.join(different)}", remedy)
    return CheckResult.passed(name, f"{', '.join(queue.name for queue in QUEUES)} and their dead-letter queues")


async def _exchange_exists(connection: AbstractConnection) -> bool:
    channel = await open_channel(connection)
    try:
        await channel.get_exchange(EXCHANGE, ensure=True)
    except ChannelNotFoundEntity:
        return False
    await channel.close()
    return True


async def _has_our_arguments(connection: AbstractConnection, queue: Queue) -> bool:
    channel = await open_channel(connection)
    try:
        await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
    except ChannelPreconditionFailed:
        return False
    except ChannelAccessRefused:
        return True  # the bot's account may only consume; the controllers meet the same error when they start
    await channel.close()
    return True


def _version(connection: AbstractConnection) -> str:
    transport = connection.transport if isinstance(connection, Connection) else None
    properties = {} if transport is None else transport.connection.server_properties
    version = properties.get("version", "")
    return version.decode() if isinstance(version, bytes) else str(version)


def _message(error: Exception, variable: str) -> str:
    """Return an error's first line without the variable."""
    return str(error).partition("\n")[0].removeprefix(f"{variable}: ").replace(f" ({variable})", "")
