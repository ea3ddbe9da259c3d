"""taskiq over aio-pika: the broker holds a message in a queue without consumers until its TTL has passed.

Then RabbitMQ dead-letters it to the queue of the workers, which acknowledge it after their work.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Any

import asyncpg
from taskiq import TaskiqEvents
from taskiq_aio_pika import AioPikaBroker, Queue, QueueType

from benchmarks.peers import program
from benchmarks.peers.work import deliver_async, pool

POOL = 10
"""Connections of each worker."""
settings = program.settings()
_kind = QueueType(settings.get("queue", "classic"))
broker = AioPikaBroker(
    program.broker_url(),
    qos=settings.get("prefetch", 100),
    task_queues=[Queue(name="reminders", type=_kind)],
    delay_queue=Queue(name="reminders.delay", type=_kind),
)
_pools: list[asyncpg.Pool[object]] = []


async def _deliver(reminder: int) -> None:
    await deliver_async(reminder, _pools[0])


async def _connect(_state: Any) -> None:
    _pools.append(await pool(POOL))


task = broker.register_task(_deliver, task_name="deliver")
broker.add_event_handler(TaskiqEvents.WORKER_STARTUP, _connect)


async def prepare() -> None:
    """Declare the queues."""
    await broker.startup()
    await broker.shutdown()


async def enqueue(reminders: range, due_at: datetime) -> None:
    """Publish the reminders, each with its own delay."""
    await broker.startup()
    for reminder in reminders:
        # The broker's TTL has whole milliseconds, and one that is rounded down would be early.
        delay = (due_at - datetime.now(UTC)).total_seconds() + 0.001
        await task.kicker().with_labels(delay=delay).kiq(reminder)
    await broker.shutdown()


def work() -> None:
    """Become its command line, which starts the workers."""
    prefetch, workers = settings["prefetch"], settings["workers"]
    limits = (f"--workers={workers}", f"--max-async-tasks={prefetch}", f"--max-prefetch={prefetch}")
    options = (*limits, "--ack-type=when_executed", "--log-level=ERROR")
    os.execv(sys.executable, [sys.executable, "-m", "taskiq", "worker", "benchmarks.peers.taskiq:broker", *options])


if __name__ == "__main__":
    program.run(prepare=prepare, enqueue=enqueue, work=work)
