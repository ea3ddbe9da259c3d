"""What waits in the dead-letter queues, looked at without taking it.

RabbitMQ has no way to read a queue and leave it untouched. Messages are got without an acknowledgement and the channel
is closed, which puts them back where they were; meanwhile the dead-letter loop does not see them, and each return
counts towards the queue's delivery limit, which for dead letters is set out of reach. The management interface was
rejected: not every broker has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from cli.session import NAME
from shared.errors import EnvelopeError, QuestbellError, TransientError
from shared.messaging.connection import UNAVAILABLE, connected
from shared.messaging.envelope import attempt_of, decode
from shared.messaging.topology import QUEUES
from shared.settings import BrokerSettings

LOOK_TIMEOUT = 10.0
"""Seconds for looking at all queues."""


@dataclass(frozen=True)
class DeadLetter:
    """A message of a dead-letter queue. `died_of` is RabbitMQ's word: rejected, expired, delivery_limit."""

    message_id: str | None
    event_type: str | None
    attempt: int
    died_of: str | None
    size: int
    unreadable: str | None


@dataclass(frozen=True)
class DeadLetterQueue:
    """A dead-letter queue with its first messages. `depth` counts what is ready; None says that there is no queue."""

    name: str
    depth: int | None
    first: list[DeadLetter]


def dead_letter_queues(name: str | None) -> list[str]:
    """Return the dead-letter queues to look at: all, or the one of a queue, by its own name or the queue's.

    Raises:
        QuestbellError: there is no such queue.
    """
    chosen = [queue.dead_letters for queue in QUEUES if name in (None, queue.name, queue.dead_letters)]
    if not chosen:
        raise QuestbellError(f"there is no queue {name!r}; there are {', '.join(queue.name for queue in QUEUES)}")
    return chosen


async def look(settings: BrokerSettings, names: Sequence[str], *, peek: int) -> list[DeadLetterQueue]:
    """Return each queue's depth and its first `peek` messages.

    Raises:
        ConfigurationError: the broker refuses our credentials.
        TransientError: it cannot be reached.
    """
    async with connected(settings, name=NAME) as connection:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                return [await _look(connection, name, peek) for name in names]
        except UNAVAILABLE as error:
            raise TransientError(f"broker unavailable: {error or type(error).__name__}") from error


async def _look(connection: AbstractConnection, name: str, peek: int) -> DeadLetterQueue:
    channel = await connection.channel()
    try:
        queue = await channel.declare_queue(name, passive=True)
    except ChannelNotFoundEntity:
        return DeadLetterQueue(name, None, [])
    depth = queue.declaration_result.message_count or 0
    first: list[DeadLetter] = []
    while len(first) < peek and (message := await queue.get(no_ack=False, fail=False)) is not None:
        first.append(_read(message))
    await channel.close()
    return DeadLetterQueue(name, depth, first)


def _read(message: AbstractIncomingMessage) -> DeadLetter:
    event_type, unreadable = None, None
    try:
        event_type = decode(message.body).event_type
    except EnvelopeError as error:
        unreadable = str(error)
    return DeadLetter(
        message_id=message.message_id,
        event_type=event_type,
        attempt=attempt_of(message.headers),
        died_of=_last_death(message.headers),
        size=len(message.body),
        unreadable=unreadable,
    )


def _last_death(headers: Any) -> str | None:
    deaths = headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) and "reason" in deaths[0]:
        return str(deaths[0]["reason"])
    return None
