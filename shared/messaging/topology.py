"""Every exchange, queue and binding. Only the controllers declare them.

Queues are short quorum queues, because the backlog waits in PostgreSQL. With `reject-publish` a full queue drops
nothing. At-least-once dead-lettering requires it (https://www.rabbitmq.com/docs/quorum-queues#dead-lettering).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, ExchangeType
from aio_pika.exceptions import ChannelNotFoundEntity
from pamqp.common import FieldValue

from shared.errors import TransientError
from shared.messaging.connection import CALL_TIMEOUT, open_channel, translated
from shared.messaging.envelope import AnyEvent, GameReminderDue, NoticeDue, StatusTransitionDue

EXCHANGE = "game_events"
MAX_LENGTH = 1_000
DELIVERY_LIMIT = 20
"""Redeliveries before dead-lettering, such as if a message kills its consumer each time."""
DEAD_DELIVERY_LIMIT = 1_000_000
"""RabbitMQ 4 would drop a dead letter after 20 redeliveries. Only our loop may."""


@dataclass(frozen=True)
class Queue:
    """A queue, its event, and its dead-letter queue."""

    name: str
    event: type[AnyEvent]

    @property
    def routing_key(self) -> str:
        """The event's type."""
        return str(self.event.model_fields["event_type"].default)

    @property
    def dead_letters(self) -> str:
        """The dead-letter queue's name."""
        return f"{self.name}.dlq"

    @property
    def arguments(self) -> dict[str, FieldValue]:
        """The queue's arguments."""
        return {
            "x-queue-type": "quorum",
            "x-max-length": MAX_LENGTH,
            "x-overflow": "reject-publish",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": self.dead_letters,
            "x-dead-letter-strategy": "at-least-once",
        }


REMINDERS = Queue("bot.reminders", GameReminderDue)
NOTICES = Queue("bot.notices", NoticeDue)
TRANSITIONS = Queue("bot.transitions", StatusTransitionDue)
QUEUES = (REMINDERS, NOTICES, TRANSITIONS)

_DEAD_LETTER_ARGUMENTS: dict[str, FieldValue] = {"x-queue-type": "quorum", "x-delivery-limit": DEAD_DELIVERY_LIMIT}


async def is_complete(connection: AbstractConnection) -> bool:
    """Return whether all queues exist. Otherwise the broker is new or lost its data."""
    for name in [name for queue in QUEUES for name in (queue.name, queue.dead_letters)]:
        channel = await open_channel(connection)
        try:
            await channel.declare_queue(name, passive=True)
        except ChannelNotFoundEntity:
            return False
        else:
            await channel.close()
    return True


async def declare(channel: AbstractChannel) -> AbstractExchange:
    """Declare dead-letter queues first, so that a rejected message always finds its own."""
    exchange = await channel.declare_exchange(EXCHANGE, ExchangeType.TOPIC, durable=True)
    for queue in QUEUES:
        await channel.declare_queue(queue.dead_letters, durable=True, arguments=_DEAD_LETTER_ARGUMENTS)
        declared = await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
        await declared.bind(exchange, queue.routing_key)
    return exchange


async def queue_depths(connection: AbstractConnection, names: Sequence[str]) -> dict[str, int]:
    """Count the ready messages in each queue.

    Raises:
        TransientError: the broker is unavailable, or a queue has not been declared yet.
    """
    depths = {}
    with translated():
        try:
            for name in names:
                async with asyncio.timeout(CALL_TIMEOUT):
                    channel = await open_channel(connection)
                    result = (await channel.declare_queue(name, passive=True)).declaration_result
                    depths[name] = result.message_count or 0
                    await channel.close()
        except ChannelNotFoundEntity as error:
            raise TransientError(f"queue {name} does not exist yet; the controllers declare it") from error
    return depths
