"""aio-pika alone: publishes the same messages with confirms, or consumes and ACKs them.

It takes the messages of a queue and later publishes those very messages again, so both sides of a ratio handle the
same bodies and properties. They are built before the clock starts.
"""

from __future__ import annotations

import asyncio
import sys

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractExchange, AbstractIncomingMessage, DeliveryMode

from benchmarks.workers.serving import Answer, serve
from benchmarks.workers.stopwatch import Stopwatch
from shared import logs, process
from shared.messaging.connection import connected
from shared.messaging.topology import EXCHANGE, REMINDERS
from shared.settings import BrokerSettings, LogSettings, load


class Bare:
    """aio-pika, and nothing else."""

    def __init__(self, connection: AbstractConnection, *, prefetch: int) -> None:
        self._connection = connection
        self._prefetch = prefetch
        self._exchange: AbstractExchange | None = None
        self._taken: list[aio_pika.Message] = []

    async def consume(self, count: int) -> Answer:
        """Consume and acknowledge `count` messages, and keep them."""
        channel = await self._connection.channel()
        await channel.set_qos(prefetch_count=self._prefetch)
        queue = await channel.get_queue(REMINDERS.name)
        watch, taken = Stopwatch(count), list[AbstractIncomingMessage]()

        async def take(message: AbstractIncomingMessage) -> None:
            with watch.lap():
                await message.ack()
                taken.append(message)

        await queue.consume(take)
        took = await watch.read()
        await channel.close()
        self._taken = [_again(message) for message in taken]
        return took

    async def publish(self, batch_size: int) -> Answer:
        """Publish the kept messages, persistent, mandatory and confirmed, in batches."""
        exchange = await self._ready()
        batches = [self._taken[start : start + batch_size] for start in range(0, len(self._taken), batch_size)]
        watch = Stopwatch(1)
        with watch.lap():
            for batch in batches:
                await asyncio.gather(
                    *(exchange.publish(message, REMINDERS.routing_key, mandatory=True) for message in batch)
                )
        return await watch.read()

    async def _ready(self) -> AbstractExchange:
        if self._exchange is None:
            channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            self._exchange = await channel.get_exchange(EXCHANGE)
        return self._exchange


def _again(message: AbstractIncomingMessage) -> aio_pika.Message:
    return aio_pika.Message(
        message.body,
        message_id=message.message_id,
        type=message.type,
        content_type=message.content_type,
        delivery_mode=DeliveryMode.PERSISTENT,
        expiration=message.expiration,
        headers=message.headers,
    )


async def main() -> None:
    """Answer requests."""
    logs.configure(load(LogSettings), workload="bare", stream=sys.stderr)
    settings = load(BrokerSettings)
    async with connected(settings, name="bench bare") as connection:
        bare = Bare(connection, prefetch=settings.prefetch)
        await serve({"consume": bare.consume, "publish": bare.publish})


if __name__ == "__main__":
    process.run(main())
