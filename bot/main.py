"""The process of `questbell bot`. Its parts restart separately, so reminders are sent while the gateway reconnects."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from bot.connections import Connections
from bot.consumers.handler import EventHandler
from bot.consumers.notifications import NotificationHandler
from bot.consumers.transitions import TransitionHandler
from bot.delivery.pacing import pace_deliveries
from bot.delivery.rate_limits import RateLimiter
from bot.delivery.request_share import RequestShare
from bot.delivery.sender import Sender
from bot.gateway import GatewayOptions
from bot.gateway_state import GatewayState
from shared import database, health, logs, metrics, process, schema
from shared.discord.client import DiscordClient
from shared.liveness import Watched
from shared.messaging import topology
from shared.messaging.consumer import Consumer
from shared.messaging.envelope import GameReminderDue, NoticeDue, OfferEnded, PersonalReminderDue, StatusTransitionDue
from shared.probes import Dependency
from shared.schedule.retry import Backoff
from shared.settings import (
    BotSettings,
    BrokerSettings,
    DatabaseSettings,
    DiscordSettings,
    GameSettings,
    HealthSettings,
    LogSettings,
    Timing,
    load,
)

RECONNECT_BACKOFF = Backoff(first=0.5, longest=5.0)
"""Delays while the broker or database is unavailable."""
GATEWAY_BACKOFF = Backoff(first=1.0, longest=120.0)
"""A day of failures must not use up Discord's 1000 logins."""


def main() -> None:
    """Run the bot."""
    process.run(_main())


async def _main() -> None:
    logs.configure(load(LogSettings), workload="bot")
    metrics.register_metrics("bot")
    await process.run_until_signalled(_run)


async def _run() -> None:
    timing, broker, discord = load(Timing), load(BrokerSettings), load(DiscordSettings)
    settings, limits = load(BotSettings), load(GameSettings)
    metrics.BOT_PROCESSES.set(settings.processes)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            database.engine(load(DatabaseSettings), application_name="questbell bot", timing=timing)
        )
        sessions = database.sessions(engine)
        probe = Dependency("database", lambda: database.ping(sessions))
        limiter = RateLimiter()
        paced = DiscordClient.connected(discord, timing, trace=pace_deliveries(limiter))
        client = await stack.enter_async_context(paced)
        handler = event_handler(Sender(sessions, client, limiter, timing))
        consumers = [Consumer(broker, timing, queue=queue, handler=handler) for queue in topology.QUEUES]
        ready = {"database": probe.problem, "consumers": lambda: _report_detached(consumers)}
        watched = [_watch(consumer) for consumer in consumers]
        gateway = GatewayState()
        options = GatewayOptions(limiter=limiter, limits=limits, members_intent=settings.members_intent, state=gateway)
        connections = Connections(discord, sessions, settings, options, GATEWAY_BACKOFF)
        await stack.enter_async_context(
            health.serving(
                load(HealthSettings),
                live={consuming.name: consuming.stalled for consuming in watched},
                ready=ready,
                details={"gateway": gateway.problem},
            )
        )
        await schema.wait_for_schema(sessions, backoff=RECONNECT_BACKOFF)
        share = None
        if settings.processes > 1:
            share = RequestShare(sessions, limiter, ordinal=settings.ordinal)
            stack.push_async_callback(share.release)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(process.run_forever("database", probe.run, backoff=RECONNECT_BACKOFF))
            tasks.create_task(connections.run())
            if share is not None:
                tasks.create_task(process.run_forever("request share", share.run, backoff=RECONNECT_BACKOFF))
                await share.wait()
            for consuming in watched:
                tasks.create_task(process.run_forever(consuming.name, consuming.run, backoff=RECONNECT_BACKOFF))


def event_handler(sender: Sender) -> EventHandler:
    """Return the handler of every event."""
    notifications = NotificationHandler(sender)
    deliver_notification = notifications.deliver_notification
    return EventHandler(
        sender.sessions,
        Backoff.of(sender.timing),
        {
            GameReminderDue: deliver_notification,
            PersonalReminderDue: deliver_notification,
            OfferEnded: notifications.end_offer,
            NoticeDue: deliver_notification,
            StatusTransitionDue: TransitionHandler(sender.sessions).apply_transition,
        },
    )


def _watch(consumer: Consumer) -> Watched:
    return Watched(consumer.name, consumer.run, is_working=lambda: consumer.attached)


def _report_detached(consumers: list[Consumer]) -> str | None:
    missing = [consumer.name for consumer in consumers if not consumer.attached]
    return f"not consuming {', '.join(missing)}: see QUESTBELL_AMQP_URL and the controllers" if missing else None
