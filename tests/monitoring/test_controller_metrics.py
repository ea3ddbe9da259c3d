"""The metrics of the controllers, with a real database and broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import pytest
from prometheus_client import CollectorRegistry

from controllers.leader_election import LeaderElection
from controllers.loops.dead_letters import DeadLetterLoop
from controllers.loops.dispatch import DispatchLoop
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.sources import NOTIFICATIONS
from controllers.resources.models import DeadLetterReconcilerSpec, SchedulerSpec
from controllers.supervisor import LoopRunner
from shared import metrics
from shared.errors import TransientError
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.publisher import Publisher
from shared.probes import Dependency
from shared.schedule.populate import populate_schedule
from shared.schedule.retry import Backoff
from shared.settings import BrokerSettings, Timing
from tests.support.broker import take
from tests.support.builders import drop_notices, make_due, new_game, rows_of
from tests.support.database import Database
from tests.support.fakes import FakeLoops, scheduler
from tests.support.waiting import eventually

REMINDERS = topology.REMINDERS
OFTEN = Backoff(first=0.01, longest=0.01)


class MetricChanges:
    """The change of each series since the start of the test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        metrics.register_metrics("controllers", registry=self.registry)
        self._before = {
            (s.name, *sorted(s.labels.items())): s.value for f in self.registry.collect() for s in f.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def increase(self, name: str, **labels: str) -> float:
        now = self.value(name, **labels)
        assert now is not None, f"{name} {labels} is not exported"
        return now - self._before.get((name, *sorted(labels.items())), 0.0)

    async def increases(self, name: str, by: float, **labels: str) -> None:
        async def increased() -> bool:
            return self.increase(name, **labels) == by

        await eventually(increased)

    async def becomes(self, name: str, expected: float | None, **labels: str) -> None:
        async def as_expected() -> bool:
            return self.value(name, **labels) == expected

        await eventually(as_expected)


@pytest.fixture
def changes() -> MetricChanges:
    return MetricChanges()


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def dispatch(database: Database, publisher: Publisher, timing: Timing) -> DispatchLoop:
    listener = NotifyListener(database.settings, timing)
    spec = SchedulerSpec(source=NOTIFICATIONS.name, max_wait_seconds=1)
    return DispatchLoop(
        NOTIFICATIONS, spec, sessions=database.sessions, publisher=publisher, listener=listener, timing=timing
    )


@pytest.fixture
async def reconciler(
    database: Database, declared: BrokerSettings, publisher: Publisher, timing: Timing
) -> DeadLetterLoop:
    spec = DeadLetterReconcilerSpec(interval_seconds=1)
    return DeadLetterLoop(spec, sessions=database.sessions, publisher=publisher, broker=declared, timing=timing)


async def test_a_published_reminder_is_counted_once_with_its_latency(
    database: Database, declared: BrokerSettings, dispatch: DispatchLoop, changes: MetricChanges
) -> None:
    game = await new_game(database.sessions, offsets=(60,))
    await drop_notices(database.sessions)
    await make_due(database.sessions, *await rows_of(database.sessions, game))
    async with running(dispatch.run()):
        await take(declared, REMINDERS.name)
        await changes.increases("questbell_publish_latency_seconds_count", 1, source="Notifications")
        assert changes.increase("questbell_publishes_total", source="Notifications", result="confirmed") == 1
        assert changes.increase("questbell_publishes_total", source="Notifications", result="failed") == 0


async def test_a_running_loop_exports_its_progress(dispatch: DispatchLoop, changes: MetricChanges) -> None:
    async with running(dispatch.run()):
        await changes.becomes("questbell_loop_wait_seconds", 1, loop="bot.reminders")
        first = changes.value("questbell_loop_last_iteration_timestamp_seconds", loop="bot.reminders")
        assert first is not None

        async def later() -> bool:
            now = changes.value("questbell_loop_last_iteration_timestamp_seconds", loop="bot.reminders")
            return now is not None and now > first

        await eventually(later)
    assert changes.value("questbell_loop_last_iteration_timestamp_seconds", loop="bot.reminders") is None
    assert changes.value("questbell_loop_wait_seconds", loop="bot.reminders") is None


async def test_a_dead_letter_is_counted_by_result_with_its_age(
    declared: BrokerSettings, reconciler: DeadLetterLoop, changes: MetricChanges
) -> None:
    async with connected(declared, name="test") as connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(b"not one of ours"), REMINDERS.name)
        message = await eventually(lambda: _got(channel))
        await message.nack(requeue=False)
    async with running(reconciler.run()):
        await changes.increases(
            "questbell_dead_letters_handled_total", 1, queue=REMINDERS.dead_letters, result="parked"
        )
        assert changes.increase("questbell_dead_letter_age_seconds_count", queue=REMINDERS.dead_letters) == 1
        await changes.becomes("questbell_loop_wait_seconds", 1, loop="DeadLetters")
    assert changes.value("questbell_loop_wait_seconds", loop="DeadLetters") is None


async def _got(channel: Any) -> Any:
    return await (await channel.get_queue(REMINDERS.name)).get(fail=False)


async def test_superseded_rows_are_counted_as_settled(database: Database, changes: MetricChanges) -> None:
    game = await new_game(database.sessions, offsets=(60, 10))
    async with database.sessions() as session, session.begin():
        moved = await session.merge(game)
        moved.reminder_offsets = (60,)
        await populate_schedule(session, game.id)
    assert changes.increase("questbell_settled_total", source="Notifications", outcome="superseded") == 1
    assert changes.increase("questbell_settled_total", source="StatusTransitions", outcome="superseded") == 0


async def test_the_notify_connection_is_exported(database: Database, timing: Timing, changes: MetricChanges) -> None:
    async with running(NotifyListener(database.settings, timing).run()):
        await changes.becomes("questbell_connected", 1, connection="listen")
    assert changes.value("questbell_connected", connection="listen") == 0


async def test_the_leader_is_exported(database: Database, timing: Timing, changes: MetricChanges) -> None:
    async with running(LeaderElection(database.settings, timing, namespace="games").run()):
        await changes.becomes("questbell_leader", 1)
    assert changes.value("questbell_leader") == 0


async def test_the_result_of_a_dependency_probe_is_exported(changes: MetricChanges) -> None:
    async def away() -> None:
        raise TransientError("it is down")

    async def there() -> None:
        return

    for ask, up in ((away, 0), (there, 1)):
        async with running(Dependency("broker", ask).run()):
            await changes.becomes("questbell_dependency_up", up, dependency="broker")


async def test_a_loop_failure_is_counted_by_kind_of_resource(changes: MetricChanges) -> None:
    loops = FakeLoops()
    loops.broken = TransientError("the broker is down")
    async with running(LoopRunner(scheduler(), loops, backoff=OFTEN).run()):

        async def failed_twice() -> bool:
            return changes.increase("questbell_loop_failures_total", kind="Scheduler") >= 2

        await eventually(failed_twice)
    assert changes.increase("questbell_loop_failures_total", kind="DeadLetterReconciler") == 0


async def test_connections_in_use_are_exported(database: Database, changes: MetricChanges) -> None:
    async with database.sessions() as session:
        await session.connection()
        assert changes.value("questbell_database_connections", state="in_use") == 1
        assert changes.value("questbell_database_connections_max") == database.settings.pool_size
    assert changes.value("questbell_database_connections", state="in_use") == 0
