"""`python -m benchmarks.drain`: how fast a long dead-letter queue is drained, and whether memory stays flat.

Nearly all belong to rows that no longer exist, which is what a long outage leaves behind once other attempts delivered
the rows. One in fifty is unreadable and must be parked.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import aio_pika
import click
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import create_async_engine

from controllers.loops.dead_letters import DeadLetterLoop
from controllers.resources.models import DeadLetterReconcilerSpec
from migrations import command
from sandbox.demo.progress import Progress
from sandbox.servers import postgres, rabbitmq
from sandbox.servers.directory import subdirectory, temporary_directory
from shared import database, logs, process
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.envelope import StatusTransitionDue, encode
from shared.messaging.publisher import Publisher
from shared.models import GameStatus
from shared.settings import BrokerSettings, DatabaseSettings, LogSettings, Timing

QUEUE = topology.TRANSITIONS
POISON_EVERY = 50
"""One message of this many is unreadable."""
SAMPLE_EVERY = 1.0
"""Seconds."""

Sample = tuple[float, int, float]
"""Seconds since the beginning, messages left, and the process's highest memory so far in MiB."""


@click.command()
@click.option("--messages", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("drain.json"))
def main(messages: int, output: Path) -> None:
    """Fill a dead-letter queue and watch the loop drain it."""
    logs.configure(LogSettings(format="console", level="error"), workload="drain", stream=sys.stderr)
    samples: list[Sample] = []

    async def work() -> None:
        samples.extend(await _drain(messages, Progress()))

    process.run(process.run_until_signalled(work))
    if not samples:
        sys.exit(130)
    _show(samples, messages)
    output.write_text(json.dumps([list(sample) for sample in samples]) + "\n")


async def _drain(messages: int, progress: Progress) -> list[Sample]:
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(temporary_directory("drain-"))
        server = await stack.enter_async_context(postgres(subdirectory(directory, "postgres"), report=progress.step))
        broker_server = await stack.enter_async_context(
            rabbitmq(subdirectory(directory, "rabbitmq"), report=progress.step)
        )
        migrating = create_async_engine(server.url)
        await command.upgrade(migrating)
        await migrating.dispose()
        timing, broker = Timing(), BrokerSettings(url=SecretStr(broker_server.url))
        settings = DatabaseSettings(url=SecretStr(server.url))
        engine = await stack.enter_async_context(database.engine(settings, application_name="drain", timing=timing))
        publisher = Publisher(broker, timing, name="drain", on_queue_lost=_nothing)
        stack.push_async_callback(publisher.close)
        await publisher.connect()
        await _fill(broker, messages)
        progress.step(f"{messages} dead letters are there")
        loop = DeadLetterLoop(
            DeadLetterReconcilerSpec(batch_size=100),
            sessions=database.sessions(engine),
            publisher=publisher,
            broker=broker,
            timing=timing,
        )
        running = asyncio.create_task(loop.run())
        try:
            return await _watch(broker)
        finally:
            running.cancel()
            await asyncio.wait({running})


async def _fill(broker: BrokerSettings, messages: int) -> None:
    async with connected(broker, name="drain") as connection:
        exchange = (await connection.channel()).default_exchange
        for start in range(0, messages, 500):
            numbers = range(start, min(start + 500, messages))
            await asyncio.gather(*(exchange.publish(_message(number), QUEUE.dead_letters) for number in numbers))


def _message(number: int) -> aio_pika.Message:
    event = StatusTransitionDue(row_id=uuid4(), game_id=uuid4(), target_status=GameStatus.COMPLETED)
    body = b"poison %d" % number if number % POISON_EVERY == 0 else encode(event)
    return aio_pika.Message(body, message_id=str(event.row_id), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)


async def _watch(broker: BrokerSettings) -> list[Sample]:
    began = time.monotonic()
    samples: list[Sample] = []
    async with connected(broker, name="drain watch") as connection:
        while not samples or samples[-1][1] > 0:
            await asyncio.sleep(SAMPLE_EVERY)
            depths = await topology.queue_depths(connection, [QUEUE.dead_letters])
            highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            samples.append((time.monotonic() - began, depths[QUEUE.dead_letters], highest))
    return samples


async def _nothing(_queue: topology.Queue) -> None:
    return


def _show(samples: list[Sample], messages: int) -> None:
    drawn = Table("seconds", "left", "a second since", "highest MiB", title=f"{messages} dead letters")
    before: Sample = (0.0, messages, samples[0][2])
    step = max(1, len(samples) // 10)
    for sample in [*samples[step - 1 :: step], samples[-1]]:
        if sample[0] > before[0]:
            rate = (before[1] - sample[1]) / (sample[0] - before[0])
            drawn.add_row(f"{sample[0]:.0f}", str(sample[1]), f"{rate:.0f}", f"{sample[2]:.0f}")
        before = sample
    Console(width=80).print(drawn)


if __name__ == "__main__":
    main()
