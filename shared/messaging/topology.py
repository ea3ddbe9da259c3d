"""Every exchange, queue and binding of Questbell, and the only code that declares them.

Queues are quorum queues, and short: the backlog waits in PostgreSQL, where it can be reordered, superseded and counted.
`reject-publish` makes a full queue say no instead of dropping, and is what at-least-once dead-lettering requires
(https://www.rabbitmq.com/docs/quorum-queues#dead-lettering). Only the controllers declare.
"""

from __future__ import annotations

from dataclasses import dataclass

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, ExchangeType
from aio_pika.exceptions import ChannelNotFoundEntity
from pamqp.common import FieldValue

from shared.messaging.connection import open_channel
from shared.messaging.envelope import AnyEvent, GameReminderDue, NoticeDue, StatusTransitionDue

EXCHANGE = "game_events"
MAX_LENGTH = 1_000
DELIVERY_LIMIT = 20
"""After so many returns without an answer (a consumer that dies on the message each time) a copy is dead-lettered."""
DEAD_DELIVERY_LIMIT = 1_000_000
"""RabbitMQ 4 would drop a dead letter that was put back 20 times; the dead-letter loop decides that, not the broker."""


@dataclass(frozen=True)
class Queue:
    """A queue, the one event it carries, and where its rejected and expired messages go."""

    name: str
    event: type[AnyEvent]

    @property
    def routing_key(self) -> str:
        """The routing key of the queue's event, which is the event's type."""
        return str(self.event.model_fields["event_type"].default)

    @property
    def dead_letters(self) -> str:
        """The name of the queue's dead-letter queue."""
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
    """Return whether all queues are there; one that is missing means that the broker is new or lost its data."""
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
    """Declare everything, dead-letter queues first so that no message ever finds its one missing."""
    exchange = await channel.declare_exchange(EXCHANGE, ExchangeType.TOPIC, durable=True)
    for queue in QUEUES:
        await channel.declare_queue(queue.dead_letters, durable=True, arguments=_DEAD_LETTER_ARGUMENTS)
        declared = await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
        await declared.bind(exchange, queue.routing_key)
    return exchange
