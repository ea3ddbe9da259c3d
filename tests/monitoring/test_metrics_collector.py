"""The metrics collector, with a real database and broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aio_pika
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, insert, select, update

from controllers import metrics_collector
from sandbox.servers.postgres import Postgres
from shared import database as db
from shared import metrics
from shared.errors import QuestbellError, TransientError
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.models import GameStatusSchedule, NotificationKind, NotificationSchedule, ParkedMessage
from shared.settings import BrokerSettings
from tests.support.builders import drop_notices, make_due, new_game, rows_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change
from tests.support.waiting import WAIT_TIMEOUT, eventually

DEAD_REMINDERS, DEAD_NOTICES = topology.REMINDERS.dead_letters, topology.NOTICES.dead_letters


class ExportedMetrics:
    """The metrics that the controllers export."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        metrics.register_metrics("controllers", registry=self.registry)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    async def has(self, name: str, expected: float | None, **labels: str) -> None:
        async def as_expected() -> bool:
            return self.value(name, **labels) == expected

        await eventually(as_expected)


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> ExportedMetrics:
    monkeypatch.setattr(metrics_collector, "COLLECT_INTERVAL", 0.05)
    for gauge in (*metrics.ROW_GAUGES, metrics.DEAD_LETTERS):
        gauge.clear()
    return ExportedMetrics()


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a collector during a block."""
    task = asyncio.ensure_future(work)
    try:
        yield
        if task.done():
            task.result()  # one that failed fails its test
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_pending_due_and_overdue_rows_are_counted(database: Database, exported: ExportedMetrics) -> None:
    game = await new_game(database.sessions, offsets=(60, 10))
    await drop_notices(database.sessions)
    late, _ = await rows_of(database.sessions, game, NotificationKind.REMINDER)
    await make_due(database.sessions, late, ago=timedelta(minutes=2))
    async with running(metrics_collector.collect_row_metrics(database.sessions)):
        await exported.has("questbell_pending_rows", 2, source="Notifications")
        await exported.has("questbell_due_rows", 1, source="Notifications")
        await exported.has("questbell_overdue_rows", 1, source="Notifications")
        age = exported.value("questbell_oldest_overdue_age_seconds", source="Notifications")
        assert age is not None
        assert 120 <= age < 180
        await exported.has("questbell_overdue_rows", 0, source="StatusTransitions")
        assert exported.value("questbell_oldest_overdue_age_seconds", source="StatusTransitions") == 0


async def test_a_published_row_is_overdue_but_not_due(database: Database, exported: ExportedMetrics) -> None:
    game = await new_game(database.sessions, offsets=(60,))
    await drop_notices(database.sessions)
    await make_due(database.sessions, *await rows_of(database.sessions, game))
    async with db.transaction(database.sessions) as session:
        later = func.clock_timestamp() + timedelta(seconds=90)
        await allow_any_change(session)
        await session.execute(update(NotificationSchedule).values(attempts=1, attempt_at=later))
    async with running(metrics_collector.collect_row_metrics(database.sessions)):
        await exported.has("questbell_overdue_rows", 1, source="Notifications")
        assert exported.value("questbell_due_rows", source="Notifications") == 0
        assert exported.value("questbell_retried_rows", source="Notifications") == 0


@pytest.mark.parametrize(
    "attempted", [{"attempts": 1, "failed_attempt": 1}, {"attempts": 2}], ids=["failed", "unanswered"]
)
async def test_the_age_of_a_retried_transition_is_exported(
    database: Database, exported: ExportedMetrics, attempted: dict[str, int]
) -> None:
    await new_game(database.sessions)
    async with db.transaction(database.sessions) as session:
        now = await db.now(session)
        soon, due = now + timedelta(seconds=30), now - timedelta(minutes=20)
        await allow_any_change(session)
        await session.execute(update(GameStatusSchedule).values(attempt_at=soon, due_at=due, **attempted))
    async with running(metrics_collector.collect_row_metrics(database.sessions)):
        await exported.has("questbell_retried_rows", 2, source="StatusTransitions")
        age = exported.value("questbell_oldest_retried_age_seconds", source="StatusTransitions")
        assert age is not None
        assert 1200 <= age < 1260


async def test_parked_messages_are_counted_by_queue(database: Database, exported: ExportedMetrics) -> None:
    parked = {"queue": DEAD_REMINDERS, "routing_key": "", "body": b"?", "digest": "1", "reason": "unreadable"}
    async with db.transaction(database.sessions) as session:
        await session.execute(insert(ParkedMessage).values(parked))
    async with running(metrics_collector.collect_row_metrics(database.sessions)):
        await exported.has("questbell_parked_messages", 1, queue=DEAD_REMINDERS)
        assert exported.value("questbell_parked_messages", queue=DEAD_NOTICES) == 0


async def test_no_row_metrics_are_exported_when_the_database_is_down(
    database: Database, postgres_server: Postgres, exported: ExportedMetrics
) -> None:
    task = asyncio.ensure_future(metrics_collector.collect_row_metrics(database.sessions))
    await exported.has("questbell_pending_rows", 0, source="Notifications")
    async with db.transaction(database.sessions) as session:
        name = (await session.execute(select(func.current_database()))).scalar_one()
    await postgres_server.drop_database(name)
    with pytest.raises(QuestbellError):
        await asyncio.wait_for(task, timeout=WAIT_TIMEOUT)
    assert [exported.value("questbell_pending_rows", source=source) for source in metrics.SOURCES] == [None, None]


async def test_dead_letters_are_counted_by_queue(declared: BrokerSettings, exported: ExportedMetrics) -> None:
    async with running(metrics_collector.collect_dead_letter_metrics(declared)):
        await exported.has("questbell_dead_letters", 0, queue=DEAD_REMINDERS)
        async with connected(declared, name="test") as connection:
            exchange = (await connection.channel()).default_exchange
            for _ in range(3):
                await exchange.publish(aio_pika.Message(b"dead"), DEAD_REMINDERS)
        await exported.has("questbell_dead_letters", 3, queue=DEAD_REMINDERS)
        assert exported.value("questbell_dead_letters", queue=DEAD_NOTICES) == 0


async def test_no_depth_is_exported_for_missing_queues(declared: BrokerSettings, exported: ExportedMetrics) -> None:
    task = asyncio.ensure_future(metrics_collector.collect_dead_letter_metrics(declared))
    await exported.has("questbell_dead_letters", 0, queue=DEAD_REMINDERS)
    async with connected(declared, name="test") as connection:
        await (await connection.channel()).queue_delete(DEAD_REMINDERS)
    with pytest.raises(TransientError):
        await asyncio.wait_for(task, timeout=WAIT_TIMEOUT)
    assert [exported.value("questbell_dead_letters", queue=queue) for queue in metrics.DEAD_LETTER_QUEUES] == [None] * 3
