"""Parked messages, which are kept until an administrator retries or discards them.

A retry marks the row, publishes, waits for the confirm, and commits. The mark makes the dead-letter loop wait for the
commit. With a mere lock, the loop would drop the new message. Committing first was rejected because a crash would lose
the message, while publishing twice does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractExchange, DeliveryMode
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cli.commands.connections import APPLICATION_NAME
from shared import sql
from shared.errors import PermanentError, QuestbellError, TransientError
from shared.formatting import format_utc
from shared.messaging.connection import connected, open_channel, translated
from shared.messaging.topology import EXCHANGE, QUEUES
from shared.models import ParkedMessage, Resolution
from shared.settings import BrokerSettings, Timing

_SQL = sql.load("cli")


class NotOpenError(QuestbellError):
    """There is no such parked message, or it was retried or discarded already."""


@dataclass(frozen=True)
class ParkedSummary:
    """A parked message without its content."""

    id: UUID
    queue: str
    routing_key: str
    message_id: str | None
    reason: str
    parked_at: datetime
    resolution: str | None
    resolved_at: datetime | None
    size: int

    @classmethod
    def of(cls, message: ParkedMessage) -> ParkedSummary:
        """Return the summary of a row."""
        return cls(
            id=message.id,
            queue=message.queue,
            routing_key=message.routing_key,
            message_id=message.message_id,
            reason=message.reason,
            parked_at=message.parked_at,
            resolution=message.resolution,
            resolved_at=message.resolved_at,
            size=len(message.body),
        )


async def list_parked(
    session: AsyncSession, queues: list[str], *, include_resolved: bool = False
) -> Sequence[ParkedMessage]:
    """Return the parked messages of queues, oldest first."""
    statement = select(ParkedMessage).from_statement(_SQL["list_parked_messages"])
    parameters = {"queues": queues, "include_resolved": include_resolved}
    return (await session.scalars(statement, parameters)).all()


async def get_parked(session: AsyncSession, parked_id: UUID) -> ParkedMessage:
    """Return a parked message, open or not.

    Raises:
        NotOpenError: there is none with this id.
    """
    message = await session.get(ParkedMessage, parked_id)
    if message is None:
        raise NotOpenError(f"there is no parked message {parked_id}; see `questbell dead-letters list`")
    return message


async def resolve(session: AsyncSession, parked_id: UUID, resolution: Resolution) -> ParkedMessage:
    """Mark an open message as retried or discarded.

    Raises:
        NotOpenError: there is no such open message.
    """
    statement = select(ParkedMessage).from_statement(_SQL["resolve_parked_message"])
    marked = await session.scalars(statement, {"id": parked_id, "resolution": resolution})
    message: ParkedMessage | None = marked.one_or_none()
    if message is not None:
        return message
    earlier = await get_parked(session, parked_id)
    when = f"at {format_utc(earlier.resolved_at)} UTC" if earlier.resolved_at else "just now"
    raise NotOpenError(f"parked message {parked_id} was already {earlier.resolution} {when}")


@asynccontextmanager
async def open_exchange(settings: BrokerSettings) -> AsyncIterator[AbstractExchange]:
    """Open the events exchange with publisher confirms.

    Raises:
        ConfigurationError: the broker rejects the credentials.
        TransientError: it cannot be reached, or the exchange is not declared yet.
    """
    async with connected(settings, name=APPLICATION_NAME) as connection:
        with translated():
            try:
                channel = await open_channel(connection, publisher_confirms=True, on_return_raises=True)
                exchange = await channel.get_exchange(EXCHANGE, ensure=True)
            except ChannelNotFoundEntity as error:
                raise TransientError(
                    f"the exchange {EXCHANGE} does not exist yet; start the controllers, which declare it"
                ) from error
        yield exchange


async def publish_again(exchange: AbstractExchange, parked: ParkedMessage, *, timing: Timing) -> None:
    """Publish a parked message without the broker's headers, and wait for the confirm.

    Raises:
        PermanentError: no queue is bound to its routing key.
        TransientError: the queue is full, or the broker did not confirm.
    """
    message = aio_pika.Message(
        parked.body,
        message_id=parked.message_id,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        headers={name: value for name, value in parked.headers.items() if not name.startswith("x-")},
    )
    routing_key = _routing_key(parked)
    with translated():
        try:
            async with asyncio.timeout(timing.publish_timeout):
                await exchange.publish(message, routing_key, mandatory=True)
        except PublishError as error:
            raise PermanentError(f"no queue is bound to the routing key {routing_key!r}") from error
        except DeliveryError as error:
            raise TransientError(f"the queue for {routing_key} is full; try again later") from error


def _routing_key(parked: ParkedMessage) -> str:
    """Return the message's key, or its queue's if it was put straight into a dead-letter queue."""
    keys = {queue.dead_letters: queue.routing_key for queue in reversed(QUEUES)}  # of two queues, the first
    return keys.get(parked.queue, parked.routing_key) if parked.routing_key in keys else parked.routing_key
