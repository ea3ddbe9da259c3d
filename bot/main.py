"""The process of `questbell bot`: three consumers, the gateway, and answers to probes.

Each part is restarted by itself. The gateway is not a condition of delivery: reminders flow while it reconnects.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from bot.delivery.limits import Limits
from bot.delivery.messenger import Messenger
from bot.events.handling import Handling
from bot.events.notice import TellNotice
from bot.events.reminder import TellReminder
from bot.events.transition import ApplyTransition
from bot.gateway import run_gateway
from shared import database, health, logs, metrics, process, schema
from shared.database import Sessions
from shared.discord.client import DiscordClient
from shared.messaging import topology
from shared.messaging.consumer import Consumer
from shared.messaging.envelope import GameReminderDue, NoticeDue, StatusTransitionDue
from shared.probes import Dependency
from shared.schedule.retry import Backoff
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    DiscordSettings,
    HealthSettings,
    LogSettings,
    Timing,
    load,
)

RECONNECT = Backoff(first=0.5, longest=5.0)
"""Delays while the broker is away."""
REGATEWAY = Backoff(first=1.0, longest=60.0)
"""Delays between logins to the gateway, of which Discord allows 1000 a day."""


def main() -> None:
    """Run the bot."""
    process.run(_main())


async def _main() -> None:
    logs.configure(load(LogSettings), workload="bot")
    metrics.register_metrics("bot")
    await process.run_until_signalled(_run)


async def _run() -> None:
    timing, broker, discord = load(Timing), load(BrokerSettings), load(DiscordSettings)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            database.engine(load(DatabaseSettings), application_name="questbell bot", timing=timing)
        )
        sessions = database.sessions(engine)
        answers = Dependency("database", lambda: database.ping(sessions))
        api = await stack.enter_async_context(DiscordClient.connected(discord, timing))
        handler = handling(Messenger(sessions, api, Limits(), timing))
        consumers = [Consumer(broker, timing, queue=queue, handler=handler) for queue in topology.QUEUES]
        ready = {"database": answers.problem, "consumers": lambda: _detached(consumers)}
        await stack.enter_async_context(health.serving(load(HealthSettings), live={}, ready=ready))
        await schema.until_usable(sessions, backoff=RECONNECT)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(process.run_forever("database", answers.run, backoff=RECONNECT))
            for consumer in consumers:
                tasks.create_task(process.run_forever(consumer.name, consumer.run, backoff=RECONNECT))
            tasks.create_task(process.run_forever("gateway", lambda: run_gateway(discord, sessions), backoff=REGATEWAY))


def handling(messenger: Messenger) -> Handling:
    """Return the handler of every event."""
    sessions: Sessions = messenger.sessions
    return Handling(
        sessions,
        Backoff.of(messenger.timing),
        {
            GameReminderDue: TellReminder(messenger),
            NoticeDue: TellNotice(messenger),
            StatusTransitionDue: ApplyTransition(sessions),
        },
    )


def _detached(consumers: list[Consumer]) -> str | None:
    missing = [consumer.name for consumer in consumers if not consumer.attached]
    return f"not consuming {', '.join(missing)}: see QUESTBELL_AMQP_URL and the controllers" if missing else None
