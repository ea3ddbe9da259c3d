"""Reads the dead-letter queues without removing anything.

Closing the channel returns unacknowledged messages to their places. Until then the dead-letter loop does not see them.
Each return counts towards the delivery limit, which is out of reach for dead letters. The management API was rejected
because not every broker has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from cli.commands.connections import APPLICATION_NAME
from shared.errors import EnvelopeError, QuestbellError
from shared.messaging.connection import close, connected, open_channel, translated
from shared.messaging.envelope import attempt_of, decode
from shared.messaging.topology import QUEUES, inspect
from shared.settings import BrokerSettings

TIMEOUT = 10.0
"""Seconds for all queues."""


@dataclass(frozen=True)
class DeadLetter:
    """A message. `death_reason` is RabbitMQ's: rejected, expired, delivery_limit."""

    message_id: str | None
    event_type: str | None
    attempt: int
    death_reason: str | None
    size: int
    error: str | None
    """Why it cannot be read."""


@dataclass(frozen=True)
class DeadLetterQueue:
    """A dead-letter queue. `depth` counts ready messages and is None if the queue is missing."""

    name: str
    depth: int | None
    messages: list[DeadLetter]


def select_queues(name: str | None) -> list[str]:
    """Return the names of all dead-letter queues, or of one with either name.

    Raises:
        QuestbellError: there is no such queue.
    """
    selected = dict.fromkeys(queue.dead_letters for queue in QUEUES if name in (None, queue.name, queue.dead_letters))
    if not selected:
        raise QuestbellError(f"there is no queue {name!r}; the queues are {', '.join(queue.name for queue in QUEUES)}")
    return list(selected)


async def peek(settings: BrokerSettings, names: Sequence[str], *, limit: int) -> list[DeadLetterQueue]:
    """Return each queue with its first `limit` messages.

    Raises:
        ConfigurationError: the broker rejects the credentials.
        TransientError: it cannot be reached.
    """
    async with connected(settings, name=APPLICATION_NAME) as connection:
        with translated():
            async with asyncio.timeout(TIMEOUT):
                return [await _peek_queue(connection, name, limit) for name in names]


async def _peek_queue(connection: AbstractConnection, name: str, limit: int) -> DeadLetterQueue:
    state = await inspect(connection, name)
    if state is None:
        return DeadLetterQueue(name, None, [])
    channel = await open_channel(connection)
    queue = await channel.get_queue(name, ensure=False)
    messages: list[DeadLetter] = []
    while len(messages) < limit and (message := await queue.get(no_ack=False, fail=False)) is not None:
        messages.append(_parse(message))
    await close(channel)
    return DeadLetterQueue(name, state.message_count, messages)


def _parse(message: AbstractIncomingMessage) -> DeadLetter:
    event_type, reason = None, None
    try:
        event_type = decode(message.body).event_type
    except EnvelopeError as error:
        reason = str(error)
    return DeadLetter(
        message_id=message.message_id,
        event_type=event_type,
        attempt=attempt_of(message.headers),
        death_reason=_last_death_reason(message.headers),
        size=len(message.body),
        error=reason,
    )


def _last_death_reason(headers: Any) -> str | None:
    deaths = headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) and "reason" in deaths[0]:
        return str(deaths[0]["reason"])
    return None
