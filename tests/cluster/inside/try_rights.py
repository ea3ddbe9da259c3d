"""Try, with the accounts of the bot, what would give more rights to somebody who took it over; print what worked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aio_pika
import asyncpg
from aiormq.exceptions import ChannelAccessRefused

SECRETS = Path("/etc/questbell/secrets")
STATEMENTS = (
    "SELECT count(*) FROM game",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "CREATE TABLE taken (id int)",
    "CREATE TEMPORARY TABLE taken (id int)",
    "ALTER TABLE game ADD taken int",
    "DROP TABLE participant",
    "CREATE ROLE taken",
    "SET ROLE questbell_owner",
)


async def try_database() -> list[str]:
    """Return the statements that PostgreSQL allowed."""
    connection = await asyncpg.connect((SECRETS / "QUESTBELL_DATABASE_URL").read_text())
    allowed = []
    for statement in STATEMENTS:
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            continue
        allowed.append(statement)
    await connection.close()
    return allowed


async def try_broker() -> list[str]:
    """Return what RabbitMQ allowed."""
    connection = await aio_pika.connect((SECRETS / "QUESTBELL_AMQP_URL").read_text())
    allowed = []
    for name, method, words in (
        ("declare", "declare_queue", ("taken",)),
        ("delete", "queue_delete", ("bot.reminders",)),
        ("delete exchange", "exchange_delete", ("game_events",)),
    ):
        try:
            await getattr(await connection.channel(), method)(*words)
        except ChannelAccessRefused:
            continue
        allowed.append(name)
    await connection.close()
    return allowed


print(json.dumps(asyncio.run(try_database()) + asyncio.run(try_broker())))
