"""One queue that takes no messages, while the others do."""

from __future__ import annotations

import asyncio

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPChannelError
from pydantic import SecretStr

from shared.messaging.connection import connected
from shared.messaging.topology import EXCHANGE, Queue
from shared.settings import BrokerSettings
from tests.chaos.faults import Fault
from tests.chaos.fixture import Fixture

_ATTEMPTS = 20


def block(queue: Queue) -> Fault:
    """Replace a queue until the last reminder is due by one that is always full, and that nobody else may consume.

    Its messages are lost too.
    """

    async def inject(fixture: Fixture) -> None:
        fixture.affected = frozenset()  # no reminder goes through this queue
        async with connected(BrokerSettings(url=SecretStr(fixture.broker_url)), name="chaos") as connection:
            await _replace(connection, queue)
            fixture.record_injection()
            await asyncio.sleep(fixture.seconds_left)
        fixture.record_recovery()

    return inject


async def _replace(connection: AbstractConnection, queue: Queue) -> None:
    for _ in range(_ATTEMPTS):
        channel = await connection.channel()
        await channel.queue_delete(queue.name)
        try:
            full = await channel.declare_queue(
                queue.name, exclusive=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"}
            )
            await full.bind(EXCHANGE, queue.routing_key)
        except AMQPChannelError:
            continue  # the controllers were first to declare it again
        return
    raise AssertionError(f"the controllers declared {queue.name} {_ATTEMPTS} times")
