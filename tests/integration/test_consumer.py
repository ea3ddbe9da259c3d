"""The consumer on a real broker: ACK only after success, NACK to the right dead-letter queue, nothing early,
nothing requeued."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import aio_pika
import pytest
from yarl import URL

from sandbox.servers.rabbitmq import RabbitMQ
from shared.errors import PermanentError, TransientError
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.consumer import Consumer
from shared.messaging.envelope import AnyEvent, GameReminderDue
from shared.messaging.publisher import Publisher, build_message
from shared.settings import BrokerSettings, Timing
from tests.support.broker import queue_length, take
from tests.support.waiting import WAIT_TIMEOUT, eventually

Handler = Callable[[AnyEvent], Awaitable[None]]
QUEUE = topology.REMINDERS


def reminder() -> GameReminderDue:
    return GameReminderDue(row_id=uuid4(), game_id=uuid4(), game_scheduled_at=datetime.now(UTC), offset_minutes=10)


@asynccontextmanager
async def consuming(broker: BrokerSettings, timing: Timing, handler: Handler) -> AsyncIterator[Consumer]:
    consumer = Consumer(broker, timing, queue=QUEUE, handler=handler)
    task = asyncio.create_task(consumer.run())
    await eventually(lambda: consumer.attached)
    yield consumer
    task.cancel()
    await asyncio.wait({task})


async def publish(publisher: Publisher, *events: AnyEvent, ttl: int | None = None) -> None:
    await publisher.publish(QUEUE, [build_message(event, ttl=ttl, attempt=1) for event in events])


async def test_a_message_is_acked_only_after_its_handler_succeeded(
    rabbitmq_server: RabbitMQ, publisher: Publisher, declared: BrokerSettings, timing: Timing
) -> None:
    handling, finish = asyncio.Event(), asyncio.Event()

    async def handler(_event: AnyEvent) -> None:
        handling.set()
        await finish.wait()

    await publish(publisher, reminder())
    async with consuming(declared, timing, handler):
        await asyncio.wait_for(handling.wait(), WAIT_TIMEOUT)
        await eventually(lambda: _holds(rabbitmq_server, declared, (0, 1)))  # delivered, not acknowledged
        finish.set()
        await eventually(lambda: _holds(rabbitmq_server, declared, (0, 0)))
    assert await queue_length(declared, QUEUE.dead_letters) == 0


@pytest.mark.parametrize("error", [TransientError("Discord is down"), PermanentError("no"), ValueError("a bug")])
async def test_a_failed_message_goes_to_its_dead_letter_queue_and_is_not_requeued(
    publisher: Publisher, declared: BrokerSettings, timing: Timing, error: Exception
) -> None:
    handled: list[AnyEvent] = []

    async def handler(event: AnyEvent) -> None:
        handled.append(event)
        raise error

    event = reminder()
    await publish(publisher, event)
    async with consuming(declared, timing, handler):
        dead = await take(declared, QUEUE.dead_letters)
    assert dead.message_id == str(event.row_id)
    assert dead.headers["x-death"][0]["reason"] == "rejected"
    assert handled == [event]


async def test_an_unreadable_message_is_dead_lettered_and_the_next_is_handled(
    publisher: Publisher, declared: BrokerSettings, timing: Timing
) -> None:
    handled: list[AnyEvent] = []

    async def handler(event: AnyEvent) -> None:
        handled.append(event)

    async with connected(declared, name="test") as connection:
        exchange = await (await connection.channel()).get_exchange(topology.EXCHANGE)
        await exchange.publish(aio_pika.Message(b"\xff not json"), QUEUE.routing_key)
    event = reminder()
    await publish(publisher, event)
    async with consuming(declared, timing, handler):
        await eventually(lambda: handled == [event])
        assert (await take(declared, QUEUE.dead_letters)).body == b"\xff not json"


async def test_messages_of_a_dead_consumer_are_redelivered(
    publisher: Publisher, declared: BrokerSettings, timing: Timing
) -> None:
    """A connection that breaks gives its unanswered message back to the queue, with a TTL that has not passed."""
    await publish(publisher, reminder(), ttl=60_000)
    async with connected(declared, name="dies") as connection:
        queue = await (await connection.channel()).get_queue(QUEUE.name)
        assert await queue.get(no_ack=False) is not None
        assert await queue_length(declared, QUEUE.name) == 0
    assert (await take(declared, QUEUE.name)).redelivered


async def test_a_queue_that_is_deleted_ends_the_consumer(declared: BrokerSettings, timing: Timing) -> None:
    async def handler(_event: AnyEvent) -> None:
        return

    consumer = Consumer(declared, timing, queue=QUEUE, handler=handler)
    running = asyncio.create_task(consumer.run())
    await eventually(lambda: consumer.attached)
    async with connected(declared, name="test") as connection:
        await (await connection.channel()).queue_delete(QUEUE.name)
    with pytest.raises(TransientError, match=f"{QUEUE.name} was deleted"):
        await asyncio.wait_for(running, WAIT_TIMEOUT)
    assert not consumer.attached


async def test_messages_in_flight_finish_when_the_consumer_stops(
    rabbitmq_server: RabbitMQ, publisher: Publisher, declared: BrokerSettings, timing: Timing
) -> None:
    handling, finish = asyncio.Event(), asyncio.Event()

    async def handler(_event: AnyEvent) -> None:
        handling.set()
        await finish.wait()

    await publish(publisher, reminder())
    task = asyncio.create_task(Consumer(declared, timing, queue=QUEUE, handler=handler).run())
    await asyncio.wait_for(handling.wait(), WAIT_TIMEOUT)
    task.cancel()
    await asyncio.sleep(0)
    finish.set()
    await asyncio.wait({task})
    await eventually(lambda: _holds(rabbitmq_server, declared, (0, 0)))
    assert await queue_length(declared, QUEUE.dead_letters) == 0


async def test_in_any_order_each_message_gets_its_own_answer(
    rabbitmq_server: RabbitMQ, publisher: Publisher, declared: BrokerSettings, timing: Timing
) -> None:
    """Several may share a frame, but none that failed or is not finished may be in it."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    rng = random.Random(seed)
    events = [reminder() for _ in range(60)]
    last, failing = rng.choice(events), set(rng.sample(events, 12))
    gates = {event.row_id: asyncio.Event() for event in events}
    handled: set[UUID] = set()

    async def handler(event: AnyEvent) -> None:
        handled.add(event.row_id)
        await gates[event.row_id].wait()
        if event in failing:
            raise TransientError("Discord is down")

    await publish(publisher, *events)
    async with consuming(declared, timing, handler):
        await eventually(lambda: len(handled) == len(events))
        for event in sorted(events, key=lambda event: events.index(event) + rng.uniform(0, 8)):
            if event is last:
                continue
            gates[event.row_id].set()
            if rng.random() < 0.3:  # those in between are finished together
                await asyncio.sleep(0)
        await eventually(lambda: _holds(rabbitmq_server, declared, (0, 1)))
        dead = {(await take(declared, QUEUE.dead_letters)).message_id for _ in failing - {last}}
        assert dead == {str(event.row_id) for event in failing - {last}}
        gates[last.row_id].set()
        await eventually(lambda: _holds(rabbitmq_server, declared, (0, 0)))


async def test_at_most_the_prefetch_is_handled_at_once(
    publisher: Publisher, declared: BrokerSettings, timing: Timing
) -> None:
    finish = asyncio.Event()
    at_once: set[AnyEvent] = set()

    async def handler(event: AnyEvent) -> None:
        at_once.add(event)
        await finish.wait()

    await publish(publisher, *(reminder() for _ in range(30)))
    narrow = declared.model_copy(update={"prefetch": 8})
    async with consuming(narrow, timing, handler):
        await eventually(lambda: len(at_once) == 8)
        assert await queue_length(declared, QUEUE.name) == 22
        finish.set()
        await eventually(lambda: _empty(declared))


async def test_the_consumer_waits_for_a_missing_queue_and_reports_it(broker: BrokerSettings, timing: Timing) -> None:
    async def handler(_event: AnyEvent) -> None:
        raise AssertionError

    with pytest.raises(TransientError, match="the controllers declare it"):
        await Consumer(broker, timing, queue=QUEUE, handler=handler).run()


async def figures(server: RabbitMQ, broker: BrokerSettings) -> tuple[int, int]:
    """Messages of the queue that wait, and that a consumer holds without having answered."""
    queues = await server.list_queues((URL(broker.url.get_secret_value()).path or "/").lstrip("/"))
    return queues[QUEUE.name].ready, queues[QUEUE.name].unacked


async def _empty(broker: BrokerSettings) -> bool:
    return await queue_length(broker, QUEUE.name) == 0


async def _holds(server: RabbitMQ, broker: BrokerSettings, expected: tuple[int, int]) -> bool:
    return await figures(server, broker) == expected
