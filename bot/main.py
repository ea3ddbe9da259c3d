"""The process of `questbell bot`: three consumers, the gateway, and answers to probes.

Each part is restarted by itself. The gateway is not a condition of delivery: reminders flow while it reconnects.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from bot.consumers.handler import EventHandler
from bot.consumers.notifications import NotificationHandler
from bot.consumers.transitions import TransitionHandler
from bot.delivery.rate_limits import RateLimiter
from bot.delivery.sender import Sender
from bot.gateway import run_gateway
from shared import database, health, logs, metrics, process, schema
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
        client = await stack.enter_async_context(DiscordClient.connected(discord, timing))
        handler = event_handler(Sender(sessions, client, RateLimiter(), timing))
        consumers = [Consumer(broker, timing, queue=queue, handler=handler) for queue in topology.QUEUES]
        ready = {"database": answers.problem, "consumers": lambda: _detached(consumers)}
        await stack.enter_async_context(health.serving(load(HealthSettings), live={}, ready=ready))
        await schema.wait_for_schema(sessions, backoff=RECONNECT)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(process.run_forever("database", answers.run, backoff=RECONNECT))
            for consumer in consumers:
                tasks.create_task(process.run_forever(consumer.name, consumer.run, backoff=RECONNECT))
            tasks.create_task(process.run_forever("gateway", lambda: run_gateway(discord, sessions), backoff=REGATEWAY))


def event_handler(sender: Sender) -> EventHandler:
    """Return the handler of every event."""
    deliver_notification = NotificationHandler(sender).deliver_notification
    return EventHandler(
        sender.sessions,
        Backoff.of(sender.timing),
        {
            GameReminderDue: deliver_notification,
            NoticeDue: deliver_notification,
            StatusTransitionDue: TransitionHandler(sender.sessions).apply_transition,
        },
    )


def _detached(consumers: list[Consumer]) -> str | None:
    missing = [consumer.name for consumer in consumers if not consumer.attached]
    return f"not consuming {', '.join(missing)}: see QUESTBELL_AMQP_URL and the controllers" if missing else None
