"""The publisher on a real broker: what is confirmed, what is not, and what a per-message TTL does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
import aiormq
import pytest
from aio_pika.exceptions import DeliveryError
from pydantic import SecretStr

from sandbox.servers.rabbitmq import RabbitMQ
from shared.errors import BodyTooLargeError, ConfigurationError, TransientError
from shared.messaging import publisher as publishing
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.envelope import (
    ATTEMPT_HEADER,
    AnyEvent,
    GameReminderDue,
    NoticeDue,
    StatusTransitionDue,
    decode,
)
from shared.messaging.publisher import OutgoingMessage, Publisher, PublishResult, build_message
from shared.models import GameStatus, NotificationKind
from shared.settings import BrokerSettings, Timing
from tests.support.broker import queue_length, take
from tests.support.waiting import eventually


def reminder() -> GameReminderDue:
    return GameReminderDue(row_id=uuid4(), game_id=uuid4(), game_scheduled_at=datetime.now(UTC), offset_minutes=10)


def transition() -> StatusTransitionDue:
    return StatusTransitionDue(row_id=uuid4(), game_id=uuid4(), target_status=GameStatus.COMPLETED)


def ready(event: AnyEvent, *, ttl: int | None = None, attempt: int = 1) -> OutgoingMessage:
    return build_message(event, ttl=ttl, attempt=attempt)


EVENTS = [reminder(), NoticeDue(row_id=uuid4(), game_id=uuid4(), kind=NotificationKind.CANCELLATION), transition()]


async def test_a_confirmed_message_is_in_its_queue_with_its_properties(
    publisher: Publisher, broker: BrokerSettings
) -> None:
    event = reminder()
    assert await publisher.publish(topology.REMINDERS, [ready(event, ttl=90_000, attempt=3)]) == [
        PublishResult.CONFIRMED
    ]
    got = await take(broker, topology.REMINDERS.name)
    assert decode(got.body) == event
    assert got.message_id == str(event.row_id)
    assert got.expiration == 90.0
    assert got.headers[ATTEMPT_HEADER] == 3
    assert got.delivery_mode == aio_pika.DeliveryMode.PERSISTENT


@pytest.mark.parametrize("queue", topology.QUEUES, ids=lambda queue: queue.name)
async def test_every_routing_key_reaches_exactly_one_queue(
    publisher: Publisher, broker: BrokerSettings, queue: topology.Queue
) -> None:
    await publisher.publish(queue, [ready(EVENTS[1])])
    lengths = {other: await queue_length(broker, other.name) for other in topology.QUEUES}
    assert lengths == {other: int(other is queue) for other in topology.QUEUES}


async def test_a_reminder_expires_into_its_dead_letter_queue_and_a_transition_never_does(
    publisher: Publisher, broker: BrokerSettings
) -> None:
    await publisher.publish(topology.REMINDERS, [ready(reminder(), ttl=50)])
    await publisher.publish(topology.TRANSITIONS, [ready(transition())])
    dead = await take(broker, topology.REMINDERS.dead_letters)
    assert dead.headers["x-death"][0]["reason"] == "expired"
    assert (await take(broker, topology.TRANSITIONS.name)).expiration is None


async def test_a_full_queue_rejects_messages_and_loses_none(publisher: Publisher, broker: BrokerSettings) -> None:
    batches = [await publisher.publish(topology.REMINDERS, [ready(reminder()) for _ in range(100)]) for _ in range(15)]
    answers = [answer for batch in batches for answer in batch]
    confirmed = answers.count(PublishResult.CONFIRMED)
    assert answers.count(PublishResult.FULL) == 1500 - confirmed > 0
    assert await queue_length(broker, topology.REMINDERS.name) == confirmed


@pytest.mark.parametrize("length", [0, 1])
async def test_a_channel_that_refuses_everything_is_replaced_if_its_queue_is_empty(
    length: int, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One channel refuses here by itself. In the matrix, RabbitMQ lets it after the death of a queue's leader."""
    refusing: list[aiormq.Channel] = []
    basic_publish = aiormq.Channel.basic_publish

    async def refuse_on_one(channel: aiormq.Channel, *args: Any, **options: Any) -> Any:
        if not refusing:
            refusing.append(channel)
        if channel in refusing:
            raise DeliveryError(None, aiormq.spec.Basic.Nack())
        return await basic_publish(channel, *args, **options)

    async def publish() -> PublishResult:
        await publisher.connect(topology.REMINDERS)
        return (await publisher.publish(topology.REMINDERS, [ready(reminder())]))[0]

    for _ in range(length):
        assert await publish() is PublishResult.CONFIRMED
    monkeypatch.setattr(aiormq.Channel, "basic_publish", refuse_on_one)
    assert [await publish() for _ in range(3)] == [PublishResult.FULL] * 3
    monkeypatch.setattr(publishing, "REFUSED_FOR", 0.0)
    assert await publish() is (PublishResult.FULL if length else PublishResult.CONFIRMED)


async def test_an_unroutable_message_is_a_failure_and_the_binding_is_declared_again(
    publisher: Publisher, broker: BrokerSettings
) -> None:
    async with connected(broker, name="test") as connection:
        queue = await (await connection.channel()).get_queue(topology.REMINDERS.name)
        await queue.unbind(topology.EXCHANGE, topology.REMINDERS.routing_key)
    assert await publisher.publish(topology.REMINDERS, [ready(reminder())]) == [PublishResult.UNROUTABLE]
    assert await publisher.publish(topology.TRANSITIONS, [ready(transition())]) == [PublishResult.CONFIRMED]
    await publisher.connect()
    assert await publisher.publish(topology.REMINDERS, [ready(reminder())]) == [PublishResult.CONFIRMED]


async def test_lost_queues_are_detected_before_they_are_declared_again(
    rabbitmq_server: RabbitMQ, broker: BrokerSettings, patient: Timing
) -> None:
    lost: list[topology.Queue] = []

    async def on_queue_lost(queue: topology.Queue) -> None:
        async with connected(broker, name="test") as connection:
            assert not await topology.exists(connection, queue)
        lost.append(queue)

    publisher = Publisher(broker, patient, name="test", on_queue_lost=on_queue_lost)
    await publisher.connect()
    assert set(lost) == set(topology.QUEUES)  # a new broker looks like one that lost everything
    lost.clear()
    await publisher.close()
    await publisher.connect()
    assert lost == []  # nothing was missing
    async with connected(broker, name="test") as connection:
        await (await connection.channel()).queue_delete(topology.NOTICES.name)
    await publisher.close()
    await publisher.connect()
    assert await publisher.publish(topology.NOTICES, [ready(EVENTS[1])]) == [PublishResult.CONFIRMED]
    assert lost == [topology.NOTICES]
    await publisher.close()


async def test_the_publisher_reconnects_after_a_broker_restart(
    publisher: Publisher, rabbitmq_server: RabbitMQ, broker: BrokerSettings
) -> None:
    assert await publisher.publish(topology.REMINDERS, [ready(reminder())]) == [PublishResult.CONFIRMED]
    await rabbitmq_server.stop()
    with pytest.raises(TransientError, match="QUESTBELL_AMQP_URL"):
        await publisher.connect()
    with pytest.raises(TransientError, match="before anything was sent"):
        await publisher.publish(topology.REMINDERS, [ready(reminder())])
    await rabbitmq_server.start()

    async def publishes() -> bool:
        try:
            await publisher.connect()
            return await publisher.publish(topology.REMINDERS, [ready(reminder())]) == [PublishResult.CONFIRMED]
        except TransientError:
            return False

    assert await eventually(publishes)
    assert await queue_length(broker, topology.REMINDERS.name) >= 2


async def test_concurrent_batches_share_one_connection(publisher: Publisher, broker: BrokerSettings) -> None:
    batches = await asyncio.gather(
        *(publisher.publish(topology.REMINDERS, [ready(reminder()) for _ in range(20)]) for _ in range(5))
    )
    assert all(answer is PublishResult.CONFIRMED for batch in batches for answer in batch)


def test_an_oversized_body_is_rejected_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "MAX_BODY", 100)
    with pytest.raises(BodyTooLargeError, match="at most 100"):
        build_message(reminder(), ttl=None, attempt=1)


async def test_wrong_credentials_name_the_setting(broker: BrokerSettings, timing: Timing) -> None:
    wrong = str(broker.url.get_secret_value()).replace("://", "://nobody-", 1)
    settings = BrokerSettings(url=SecretStr(wrong))
    with pytest.raises(ConfigurationError, match="QUESTBELL_AMQP_URL"):
        await Publisher(settings, timing, name="test", on_queue_lost=_nothing).connect()


async def _nothing(_queue: topology.Queue) -> None:
    return
