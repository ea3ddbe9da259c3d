"""`questbell controllers`: wires the process together.

At SIGTERM the watch ends first, so that no loop starts any more. Then the loops finish what is in flight, and finally
their connections are closed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Self

from controllers import kopf_thread, kubernetes_api, metrics_collector
from controllers.delivery_monitor import DeliveryMonitor
from controllers.leader_election import LeaderElection
from controllers.loops.dead_letters import DeadLetterLoop
from controllers.loops.dispatch import DispatchLoop
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.queries import requeue_published
from controllers.loops.sources import SOURCES
from controllers.resources.models import DeadLetterReconcilerSpec, Resource, SchedulerSpec
from controllers.resync import Resync
from controllers.status_writer import StatusWriter
from controllers.supervisor import AnyLoop, LoopFactory, Supervisor
from shared import database, health, logs, metrics, process
from shared.database import Sessions
from shared.errors import PermanentError
from shared.messaging.publisher import Publisher
from shared.messaging.topology import Queue
from shared.probes import Dependency
from shared.schedule.retry import Backoff
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
"""Delays before a task restarts. Servers usually return within seconds."""
CLOSE_TIMEOUT = 4.0
"""Seconds of the shutdown time for closing connections."""

Tasks = Mapping[str, Callable[[], Awaitable[None]]]


@dataclass(frozen=True)
class Settings:
    """All settings of the controllers."""

    database: DatabaseSettings
    broker: BrokerSettings
    kubernetes: KubernetesSettings
    health: HealthSettings
    timing: Timing

    @classmethod
    def load(cls) -> Self:
        """Read the settings.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        return cls(
            load(DatabaseSettings), load(BrokerSettings), load(KubernetesSettings), load(HealthSettings), load(Timing)
        )


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    process.run(_run())


async def _run() -> None:
    logs.configure(load(LogSettings), workload="controllers")
    metrics.register_metrics("controllers")
    settings = Settings.load()
    await process.run_until_signalled(lambda: serve(settings))


async def serve(settings: Settings) -> None:
    """Run until cancelled.

    Raises:
        ConfigurationError: a setting is wrong, which may become known only when it is first used.
    """
    timing, namespace = settings.timing, settings.kubernetes.namespace
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            database.engine(settings.database, application_name="questbell controllers", timing=timing)
        )
        sessions = database.sessions(engine)
        publisher = _publisher(settings, sessions)
        stack.push_async_callback(publisher.close)
        api = await stack.enter_async_context(kubernetes_api.connect())
        listener = NotifyListener(settings.database, timing)
        supervisor = await stack.enter_async_context(
            Supervisor(
                _loop_factory(settings, sessions, publisher, listener),
                backoff=Backoff.of(timing),
                shutdown_timeout=timing.shutdown - kopf_thread.STOP_TIMEOUT - CLOSE_TIMEOUT,
            )
        )
        leader_election = LeaderElection(settings.database, timing, namespace=namespace)
        resync = Resync(api, supervisor, namespace, release=settings.kubernetes.release)
        monitor = DeliveryMonitor(sessions, settings.broker)
        dependencies = {
            "database": Dependency("database", lambda: database.ping(sessions)),
            "broker": Dependency("broker", publisher.connect),
        }
        writer = StatusWriter(
            supervisor,
            api,
            leader_election,
            instance=socket.gethostname(),
            release=settings.kubernetes.release,
            add_delivery=monitor.add_to,
        )
        await stack.enter_async_context(_probes(settings.health, dependencies, resync, supervisor))

        async def watch() -> None:
            await resync.wait_until_usable()
            await kopf_thread.watch(namespace, observe=supervisor.observe, forget=supervisor.forget)

        await _run_tasks(
            {
                "resync": resync.run,
                "watch": watch,
                "status": writer.run,
                "delivery monitor": monitor.run,
                "leader election": leader_election.run,
                "notify listener": listener.run,
                "row metrics": lambda: metrics_collector.collect_row_metrics(sessions),
                "dead-letter metrics": lambda: metrics_collector.collect_dead_letter_metrics(settings.broker),
                **{name: dependency.run for name, dependency in dependencies.items()},
            }
        )


async def _run_tasks(tasks: Tasks) -> None:
    async with asyncio.TaskGroup() as group:
        for name, work in tasks.items():
            group.create_task(process.run_forever(name, work, backoff=RESTART), name=name)


def _publisher(settings: Settings, sessions: Sessions) -> Publisher:
    async def requeue(queue: Queue) -> None:
        [source] = [source for source in SOURCES.values() if queue in source.queues]
        count = await requeue_published(sessions, source, queue, settle_timeout=settings.timing.settle_interval)
        metrics.REQUEUED.labels(source.name).inc(count)

    return Publisher(settings.broker, settings.timing, name="questbell controllers", on_queue_lost=requeue)


def _loop_factory(
    settings: Settings, sessions: Sessions, publisher: Publisher, listener: NotifyListener
) -> LoopFactory:
    timing = settings.timing

    def make_loop(resource: Resource) -> AnyLoop:
        match resource.spec:
            case SchedulerSpec() as spec:
                source = SOURCES[spec.source]
                return DispatchLoop(
                    source, spec, sessions=sessions, publisher=publisher, listener=listener, timing=timing
                )
            case DeadLetterReconcilerSpec() as spec:
                broker = settings.broker
                return DeadLetterLoop(spec, sessions=sessions, publisher=publisher, broker=broker, timing=timing)
            case _:
                raise PermanentError(f"no loop for {resource}")

    return make_loop


def _probes(
    settings: HealthSettings, dependencies: Mapping[str, Dependency], resync: Resync, supervisor: Supervisor
) -> AbstractAsyncContextManager[None]:
    return health.serving(
        settings,
        live={"progress": resync.stalled, "supervisor": supervisor.lost},
        ready={
            **{name: dependency.problem for name, dependency in dependencies.items()},
            "api-server": resync.problem,
            "resources": resync.missing,
            "loops": supervisor.problem,
        },
    )
