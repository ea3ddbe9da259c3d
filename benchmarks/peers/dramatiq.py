"""dramatiq over RabbitMQ: its workers hold messages with a delay in memory, and publish them again when they are due.

The message of the delay is acknowledged after that publish, and the published one after the work.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.middleware import AgeLimit, Callbacks, Pipelines, Retries, ShutdownNotifications, TimeLimit

from benchmarks.peers import program
from benchmarks.peers.work import deliver

HELD = 65_535
"""Messages with a delay that a worker may hold: all of them, and the most that AMQP allows."""
settings = program.settings()
broker = RabbitmqBroker(
    url=program.broker_url(),
    confirm_delivery=True,
    middleware=[kind() for kind in (AgeLimit, TimeLimit, ShutdownNotifications, Callbacks, Pipelines, Retries)],
)
dramatiq.set_broker(broker)
actor = dramatiq.actor(deliver, actor_name="deliver", queue_name="reminders", broker=broker)


async def enqueue(reminders: range, due_at: datetime) -> None:
    """Publish the reminders, each with its own delay."""
    for reminder in reminders:
        delay = due_at - datetime.now(UTC)
        actor.send_with_options(args=(reminder,), delay=round(delay.total_seconds() * 1_000))


def work() -> None:
    """Become its command line, which starts the workers."""
    workers, threads, prefetch = settings["workers"], settings["threads"], settings["prefetch"]
    environment = {
        **os.environ,
        "dramatiq_queue_prefetch": str(prefetch),  # 0 is its default, twice the threads
        "dramatiq_delay_queue_prefetch": str(HELD),
    }
    options = ("--processes", str(workers), "--threads", str(threads), "--skip-logging")
    command = [sys.executable, "-m", "dramatiq", "benchmarks.peers.dramatiq:broker", *options]
    os.execve(sys.executable, command, environment)


if __name__ == "__main__":
    program.run(prepare=program.no_preparation, enqueue=enqueue, work=work)
