"""Every exchange, queue and binding, and the queue of each kind of row. Only the controllers declare them.

Queues are short quorum queues, because the backlog waits in PostgreSQL. With `reject-publish` a full queue drops
nothing. At-least-once dead-lettering requires it (https://www.rabbitmq.com/docs/quorum-queues#dead-lettering).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, ExchangeType
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from pamqp.common import FieldValue

from shared.errors import TransientError
from shared.messaging.connection import CALL_TIMEOUT, close, open_channel, translated
from shared.models import GameStatus, NotificationKind

EXCHANGE = "game_events"
MAX_LENGTH = 1_000
DELIVERY_LIMIT = 20
"""Redeliveries before dead-lettering, such as if a message kills its consumer each time."""
DEAD_DELIVERY_LIMIT = 1_000_000
"""RabbitMQ 4 would drop a dead letter after 20 redeliveries. Only our loop may."""


@dataclass(frozen=True)
class Queue:
    """A queue of the rows of some kinds, its routing key and its dead-letter queue."""

    name: str
    routing_key: str
    kinds: tuple[NotificationKind | GameStatus, ...]
    """Kinds of notifications, or target statuses."""
    dead_letters: str

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


REMINDERS = Queue(
    "bot.reminders",
    "game.reminder_due",
    (NotificationKind.REMINDER, NotificationKind.PERSONAL_REMINDER),
    "bot.reminders.dlq",
)
NOTICES = Queue(
    "bot.notices",
    "game.notice_due",
    (
        NotificationKind.CANCELLATION,
        NotificationKind.CHANGE,
        NotificationKind.PROMOTION,
        NotificationKind.MINIMUM,
        NotificationKind.NUDGE,
        NotificationKind.OFFER_END,
        NotificationKind.DROP_OUT,
        NotificationKind.WARNING,
    ),
    "bot.notices.dlq",
)
ANNOUNCEMENTS = Queue(
    "bot.announcements",
    "game.announcement_due",
    (NotificationKind.ANNOUNCEMENT,),
    "bot.notices.dlq",  # every existing DeadLetterReconciler lists it, and every release reads its messages
)
TRANSITIONS = Queue("bot.transitions", "game.status_transition_due", tuple(GameStatus), "bot.transitions.dlq")
QUEUES = (REMINDERS, NOTICES, ANNOUNCEMENTS, TRANSITIONS)
DEAD_LETTER_QUEUES = tuple(dict.fromkeys(queue.dead_letters for queue in QUEUES))

_DEAD_LETTER_ARGUMENTS: dict[str, FieldValue] = {"x-queue-type": "quorum", "x-delivery-limit": DEAD_DELIVERY_LIMIT}


def missing_queue_error(name: str) -> TransientError:
    """Return the error of a queue that the controllers have not declared yet."""
    return TransientError(f"queue {name} does not exist yet; the controllers declare it")


@dataclass(frozen=True)
class QueueState:
    """What the broker says of a queue."""

    message_count: int
    """Ready messages."""
    consumer_count: int


async def inspect(connection: AbstractConnection, name: str) -> QueueState | None:
    """Return a queue's state, or None if it does not exist. Raises aio-pika's errors, and needs a time-out."""
    channel = await open_channel(connection)
    try:
        declared = (await channel.declare_queue(name, passive=True)).declaration_result
    except ChannelNotFoundEntity:
        return None
    await close(channel)
    return QueueState(declared.message_count or 0, declared.consumer_count or 0)


async def exists(connection: AbstractConnection, queue: Queue) -> bool:
    """Return whether a queue and its dead-letter queue exist. Otherwise it is new, or the broker lost its data."""
    return None not in [await inspect(connection, name) for name in (queue.name, queue.dead_letters)]


async def declare(connection: AbstractConnection, queue: Queue) -> list[str]:
    """Declare a queue after its dead-letter queue, so that a rejected message always finds it, and bind it.

    Return which of the two exist with other arguments. They are used as they are.
    """
    different = [
        name
        for name, arguments in ((queue.dead_letters, _DEAD_LETTER_ARGUMENTS), (queue.name, queue.arguments))
        if not await _declare_queue(connection, name, arguments)
    ]
    channel = await open_channel(connection)
    exchange = await declare_exchange(channel)
    await (await channel.get_queue(queue.name, ensure=False)).bind(exchange, queue.routing_key)
    await close(channel)
    return different


async def declare_exchange(channel: AbstractChannel) -> AbstractExchange:
    """Declare and return the exchange."""
    return await channel.declare_exchange(EXCHANGE, ExchangeType.TOPIC, durable=True)


async def _declare_queue(connection: AbstractConnection, name: str, arguments: dict[str, FieldValue]) -> bool:
    """Declare a queue. Return whether it has these arguments."""
    channel = await open_channel(connection)
    try:
        await channel.declare_queue(name, durable=True, arguments=arguments)
    except ChannelPreconditionFailed:
        return False
    await close(channel)
    return True


async def queue_depths(connection: AbstractConnection, names: Sequence[str]) -> dict[str, int]:
    """Count the ready messages in each queue.

    Raises:
        TransientError: the broker is unavailable, or a queue has not been declared yet.
    """
    depths = {}
    with translated():
        for name in names:
            async with asyncio.timeout(CALL_TIMEOUT):
                state = await inspect(connection, name)
            if state is None:
                raise missing_queue_error(name)
            depths[name] = state.message_count
    return depths
