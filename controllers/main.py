"""`questbell controllers`: what the process consists of, in what order it is made and ended, and nothing else.

Each task is restarted with growing delays when it ends; the loops go on meanwhile. At SIGTERM the watch ends first, so
that no loop is started any more, then the loops finish what is in flight, then what they work with is closed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Self

from controllers import kopf_thread, metrics_collector
from controllers.api_server import api_server
from controllers.leader_election import LeaderElection
from controllers.loop_factory import loop_factory
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.sources import SOURCES
from controllers.resync import Resync
from controllers.status_writer import StatusWriter
from controllers.supervisor import Supervisor
from shared import database, health, logs, metrics, process
from shared.database import Sessions
from shared.messaging.publisher import Publisher
from shared.probes import Dependency
from shared.schedule.retry import Backoff
from shared.schedule.settle import requeue_published
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    HealthSettings,
    KubernetesSettings,
    LogSettings,
    Timing,
    load,
)

RESTART = Backoff(first=0.5, longest=5.0)
"""Delays before a task of the process is started again: they wait for servers, which are back within seconds."""
CLOSING = 4.0
"""Seconds of the shutdown that are kept for closing connections."""

Tasks = Mapping[str, Callable[[], Awaitable[None]]]


@dataclass(frozen=True)
class Settings:
    """Everything that the controllers are told from outside."""

    database: DatabaseSettings
    broker: BrokerSettings
    kubernetes: KubernetesSettings
    health: HealthSettings
    timing: Timing

    @classmethod
    def load(cls) -> Self:
        """Read them all.

        Raises:
            ConfigurationError: the first one that is missing or wrong.
        """
        return cls(
            load(DatabaseSettings), load(BrokerSettings), load(KubernetesSettings), load(HealthSettings), load(Timing)
        )


def main() -> None:
    """Run the controllers until SIGTERM or SIGINT."""
    process.run(_run())


async def _run() -> None:
    logs.configure(load(LogSettings), workload="controllers")
    metrics.register_metrics("controllers")
    settings = Settings.load()
    await process.run_until_signalled(lambda: serve(settings))


async def serve(settings: Settings) -> None:
    """Run the controllers until cancelled.

    Raises:
        ConfigurationError: a setting is wrong, here or as found out when first used.
    """
    timing, namespace = settings.timing, settings.kubernetes.namespace
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            database.engine(settings.database, application_name="questbell controllers", timing=timing)
        )
        sessions = database.sessions(engine)
        publisher = _publisher(settings, sessions)
        stack.push_async_callback(publisher.close)
        api = await stack.enter_async_context(api_server())
        listener = NotifyListener(settings.database, timing)
        make_loop = loop_factory(
            sessions=sessions, publisher=publisher, broker=settings.broker, listener=listener, timing=timing
        )
        patience = timing.shutdown - kopf_thread.STOP_TIMEOUT - CLOSING
        supervisor = await stack.enter_async_context(
            Supervisor(make_loop, backoff=Backoff.of(timing), patience=patience)
        )
        leader_election = LeaderElection(settings.database, timing, namespace=namespace)
        resync = Resync(api, supervisor, namespace)
        asked = {
            "database": Dependency("database", lambda: database.ping(sessions)),
            "broker": Dependency("broker", publisher.connect),
        }
        writer = StatusWriter(supervisor, api, leader_election, instance=socket.gethostname())
        await stack.enter_async_context(_probes(settings.health, asked, resync, supervisor))

        async def watch() -> None:
            await resync.usable()
            await kopf_thread.watch(namespace, observe=supervisor.observe, forget=supervisor.forget)

        await _keep_running(
            {
                "resync": resync.run,
                "watch": watch,
                "status": writer.run,
                "leader election": leader_election.run,
                "notify listener": listener.run,
                "row metrics": lambda: metrics_collector.collect_row_metrics(sessions),
                "dead-letter metrics": lambda: metrics_collector.collect_dead_letter_metrics(settings.broker),
                **{name: dependency.run for name, dependency in asked.items()},
            }
        )


async def _keep_running(tasks: Tasks) -> None:
    async with asyncio.TaskGroup() as group:
        for name, work in tasks.items():
            group.create_task(process.run_forever(name, work, backoff=RESTART), name=name)


def _publisher(settings: Settings, sessions: Sessions) -> Publisher:
    async def requeue() -> None:
        async with database.transaction(sessions) as session:
            for source in SOURCES.values():
                metrics.REQUEUED.labels(source.name).inc(await requeue_published(session, source.table))

    return Publisher(settings.broker, settings.timing, name="questbell controllers", on_queues_lost=requeue)


def _probes(
    settings: HealthSettings, asked: Mapping[str, Dependency], resync: Resync, supervisor: Supervisor
) -> AbstractAsyncContextManager[None]:
    return health.serving(
        settings,
        live={"progress": resync.stalled, "supervisor": supervisor.lost},
        ready={
            **{name: dependency.problem for name, dependency in asked.items()},
            "api-server": resync.problem,
            "loops": supervisor.problem,
        },
    )
