"""Declaring and reading a test's queues."""

from __future__ import annotations

from typing import Any

from aio_pika.abc import AbstractConnection

from shared.messaging import topology
from shared.messaging.connection import connected
from shared.settings import BrokerSettings
from tests.support.waiting import WAIT_TIMEOUT, eventually


async def queue_length(broker: BrokerSettings, name: str) -> int:
    """Return how many messages of a queue are ready."""
    async with connected(broker, name="test") as connection:
        state = await topology.inspect(connection, name)
    assert state is not None, f"queue {name} does not exist"
    return state.message_count


async def declare_all(connection: AbstractConnection) -> None:
    """Declare every queue."""
    for queue in topology.QUEUES:
        await topology.declare(connection, queue)


async def take(broker: BrokerSettings, name: str, *, within: float = WAIT_TIMEOUT) -> Any:
    """Take the next message of a queue, and acknowledge it."""
    async with connected(broker, name="test") as connection:
        queue = await (await connection.channel()).get_queue(name)
        return await eventually(lambda: queue.get(no_ack=True, fail=False), within=within, what=f"a message in {name}")
