"""The parked messages: what could not be read, until a person retries it or discards it.

A retry marks the row, publishes, waits for the confirm, and only then commits. The mark comes first, inside the
transaction, because it makes the dead-letter loop wait for the commit before it parks the same message again; with
a mere lock it would take the message for one that is parked still, and drop it. A crash between confirm and commit
leaves the message open although it was published: the next retry publishes it again, and a second copy of an event does
no harm, since its row decides. Committing first was rejected: a crash would then lose the message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractExchange, DeliveryMode
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError
from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cli.session import NAME
from cli.words import moment
from shared.errors import PermanentError, QuestbellError, TransientError
from shared.messaging.connection import UNAVAILABLE, connected
from shared.messaging.topology import EXCHANGE, QUEUES
from shared.models import ParkedMessage, Resolution
from shared.settings import BrokerSettings, Timing


class NotOpenError(QuestbellError):
    """There is no such parked message, or somebody dealt with it already."""


def parked_messages(*, queues: list[str], resolved_too: bool) -> Select[ParkedMessage]:
    """Return the statement for the parked messages of dead-letter queues, oldest first."""
    statement = select(ParkedMessage).where(ParkedMessage.queue.in_(queues)).order_by(ParkedMessage.parked_at)
    return statement if resolved_too else statement.where(ParkedMessage.resolved_at.is_(None))


async def find(session: AsyncSession, parked_id: UUID) -> ParkedMessage:
    """Return a parked message, open or not.

    Raises:
        NotOpenError: there is none with this id.
    """
    found = await session.get(ParkedMessage, parked_id)
    if found is None:
        raise NotOpenError(f"there is no parked message {parked_id}: see `questbell dead-letters list`")
    return found


async def resolve(session: AsyncSession, parked_id: UUID, resolution: Resolution) -> ParkedMessage:
    """Mark an open message as dealt with; it counts when the transaction commits.

    Raises:
        NotOpenError: there is none with this id, or it was dealt with already.
    """
    marked = (
        await session.execute(
            update(ParkedMessage)
            .where(ParkedMessage.id == parked_id, ParkedMessage.resolved_at.is_(None))
            .values(resolved_at=func.clock_timestamp(), resolution=resolution)
            .returning(ParkedMessage)
        )
    ).scalar_one_or_none()
    if marked is not None:
        return marked
    earlier = await find(session, parked_id)
    when = moment(earlier.resolved_at) if earlier.resolved_at else "a moment ago"
    raise NotOpenError(f"parked message {parked_id} was {earlier.resolution} already, {when} UTC")


@asynccontextmanager
async def event_exchange(settings: BrokerSettings) -> AsyncIterator[AbstractExchange]:
    """Hold the exchange of events, with confirms, for a block.

    Raises:
        ConfigurationError: the broker refuses our credentials.
        TransientError: it cannot be reached, or the controllers have not declared the exchange yet.
    """
    async with connected(settings, name=NAME) as connection:
        try:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await channel.get_exchange(EXCHANGE, ensure=True)
        except ChannelNotFoundEntity as error:
            raise TransientError(f"there is no exchange {EXCHANGE} yet: the controllers declare it") from error
        except UNAVAILABLE as error:
            raise TransientError(f"broker unavailable: {error or type(error).__name__}") from error
        yield exchange


async def publish_again(exchange: AbstractExchange, parked: ParkedMessage, *, timing: Timing) -> None:
    """Publish a parked message as it was, but for the broker's own headers, and wait for the confirm.

    Raises:
        PermanentError: no queue takes its routing key.
        TransientError: the queue is full, or it is not known whether the broker took it.
    """
    message = aio_pika.Message(
        parked.body,
        message_id=parked.message_id,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        headers={name: value for name, value in parked.headers.items() if not name.startswith("x-")},
    )
    key = routing_key(parked)
    try:
        async with asyncio.timeout(timing.publish_timeout):
            await exchange.publish(message, key, mandatory=True)
    except PublishError as error:
        raise PermanentError(f"no queue takes the routing key {key!r}") from error
    except DeliveryError as error:
        raise TransientError(f"the queue of {key} is full: try again later") from error
    except UNAVAILABLE as error:
        raise TransientError(f"no confirm from the broker: {error or type(error).__name__}") from error


def routing_key(parked: ParkedMessage) -> str:
    """Return the key to publish under: its own, or that of the queue whose dead letter it is if somebody had put it
    straight there."""
    keys = {queue.dead_letters: queue.routing_key for queue in QUEUES}
    return keys.get(parked.queue, parked.routing_key) if parked.routing_key in keys else parked.routing_key
