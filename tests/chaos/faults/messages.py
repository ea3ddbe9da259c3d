"""Messages that arrive twice, late and out of order, and messages that cannot be read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared.messaging.topology import EXCHANGE, NOTICES, QUEUES, REMINDERS, TRANSITIONS
from tests.chaos.fixture import Fixture

Json = dict[str, Any]

DUPLICATES = 2
_CONNECT_TIMEOUT = 10.0


async def duplicate_and_reorder(fixture: Fixture) -> None:
    """Send every message twice more, each after a random delay: late, and in another order."""
    async with await _connect(fixture) as connection:
        channel = await connection.channel()
        tap = await channel.declare_queue(exclusive=True)
        await tap.bind(EXCHANGE, "#")
        queues = {queue.routing_key: queue.name for queue in QUEUES}
        async with asyncio.TaskGroup() as tasks:

            async def send_late(message: AbstractIncomingMessage) -> None:
                await asyncio.sleep(fixture.rng.uniform(0.0, 4.0))
                await _send(channel, queues[message.routing_key or ""], message.body, dict(message.headers))
                fixture.record_injection()

            async def duplicate(message: AbstractIncomingMessage) -> None:
                for _ in range(DUPLICATES):
                    tasks.create_task(send_late(message))

            tag = await tap.consume(duplicate, no_ack=True)
            await asyncio.sleep(fixture.seconds_left)
            await tap.cancel(tag)
    fixture.record_recovery()


async def publish_poison(fixture: Fixture) -> None:
    """Put every kind of unreadable message into every queue, while the good ones flow."""
    async with await _connect(fixture) as connection:
        channel = await connection.channel()
        for make in POISONS.values():
            for queue in QUEUES:
                await _send(channel, queue.name, make(), {})
                fixture.record_injection()
            await asyncio.sleep(fixture.seconds_left / len(POISONS))
    fixture.record_recovery()


async def _connect(fixture: Fixture) -> aio_pika.abc.AbstractConnection:
    return await aio_pika.connect(fixture.broker_url, timeout=_CONNECT_TIMEOUT)


async def _send(channel: AbstractChannel, queue: str, body: bytes, headers: Mapping[str, Any]) -> None:
    """Put a message into a queue; if the queue is full it is dropped, as for any publisher."""
    message = aio_pika.Message(body, headers=dict(headers), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    try:
        await channel.default_exchange.publish(message, queue)
    except aio_pika.exceptions.DeliveryError:
        return


def _envelope(**changed: object) -> Json:
    row, game = str(uuid4()), str(uuid4())
    data = {
        "event_type": REMINDERS.routing_key,
        "row_id": row,
        "game_id": game,
        "game_scheduled_at": "2030-01-01T20:00:00Z",
        "offset_minutes": 5,
    }
    envelope = {"schema_version": 1, "occurred_at": "2030-01-01T20:00:00Z", "data": data, "traceparent": "00-0-0-01"}
    return envelope | changed


def _with(**changed: object) -> bytes:
    return json.dumps(_envelope(data=_envelope()["data"] | changed)).encode()


POISONS: Mapping[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "not text": lambda: b"\xff\xfe\x00\x9f" * 16,
    "not JSON": lambda: b'{"schema_version": 1, "data"',
    "not an object": lambda: b"[1, 2, 3]",
    "nested too deeply": lambda: b"[" * 100_000,
    "another version": lambda: json.dumps(_envelope(schema_version=99)).encode(),
    "no data": lambda: json.dumps(_envelope(data=None)).encode(),
    "an unknown type": lambda: _with(event_type="game.exploded"),
    "an invalid row id": lambda: _with(row_id="'; DROP TABLE game; --"),
    "a number instead of a time": lambda: _with(game_scheduled_at=10**30),
    "a row that does not exist": lambda: _with(),
    "a notice without a row": lambda: _with(event_type=NOTICES.routing_key, kind="cancellation"),
    "a transition without a row": lambda: _with(event_type=TRANSITIONS.routing_key, target_status="completed"),
    "an unknown kind": lambda: _with(event_type=NOTICES.routing_key, kind="birthday"),
    "huge": lambda: _with(padding="x" * 200_000),
}
