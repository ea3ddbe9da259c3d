"""Messages that come twice, late and out of order, and messages that nobody can use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared.messaging.topology import EXCHANGE, NOTICES, QUEUES, REMINDERS, TRANSITIONS
from tests.chaos.scene import Scene

Json = dict[str, Any]

COPIES = 2
_CONNECT_WITHIN = 10.0


async def doubled_and_reordered(scene: Scene) -> None:
    """Send every message again, twice, each after a while of its own: late, and in another order."""
    async with await _connect(scene) as connection:
        channel = await connection.channel()
        tap = await channel.declare_queue(exclusive=True)
        await tap.bind(EXCHANGE, "#")
        queues = {queue.routing_key: queue.name for queue in QUEUES}
        async with asyncio.TaskGroup() as late:

            async def copy(message: AbstractIncomingMessage) -> None:
                await asyncio.sleep(scene.dice.uniform(0.0, 4.0))
                await _send(channel, queues[message.routing_key or ""], message.body, dict(message.headers))
                scene.struck()

            async def again(message: AbstractIncomingMessage) -> None:
                for _ in range(COPIES):
                    late.create_task(copy(message))

            tag = await tap.consume(again, no_ack=True)
            await asyncio.sleep(scene.seconds_left)
            await tap.cancel(tag)
    scene.healed()


async def poisoned(scene: Scene) -> None:
    """Put messages of every unusable kind into every queue, while the good ones flow."""
    async with await _connect(scene) as connection:
        channel = await connection.channel()
        for name, make in POISONS.items():
            for queue in QUEUES:
                await _send(channel, queue.name, make(), {})
                scene.struck()
            scene.notes.append(name)
            await asyncio.sleep(scene.seconds_left / len(POISONS))
    scene.healed()


async def _connect(scene: Scene) -> aio_pika.abc.AbstractConnection:
    return await aio_pika.connect(scene.broker_url, timeout=_CONNECT_WITHIN)


async def _send(channel: AbstractChannel, queue: str, body: bytes, headers: Mapping[str, Any]) -> None:
    """Put a message straight into a queue; one that finds it full is not sent, as ours would not be."""
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
    "nested beyond measure": lambda: b"[" * 100_000,
    "of another version": lambda: json.dumps(_envelope(schema_version=99)).encode(),
    "without data": lambda: json.dumps(_envelope(data=None)).encode(),
    "of an unknown type": lambda: _with(event_type="game.exploded"),
    "with a row id that is none": lambda: _with(row_id="'; DROP TABLE game; --"),
    "with a number for a time": lambda: _with(game_scheduled_at=10**30),
    "of a row that is not there": lambda: _with(),
    "a notice of no row": lambda: _with(event_type=NOTICES.routing_key, kind="cancellation"),
    "a transition of no row": lambda: _with(event_type=TRANSITIONS.routing_key, target_status="completed"),
    "of a kind that is none": lambda: _with(event_type=NOTICES.routing_key, kind="birthday"),
    "huge": lambda: _with(padding="x" * 200_000),
}
