"""Publishing with confirms: a message counts as sent only once the broker has confirmed it.

Without `mandatory` and `on_return_raises`, the broker confirms unroutable messages and drops them.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable, Sequence

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, DeliveryMode
from aio_pika.exceptions import DeliveryError, PublishError

from shared import logs
from shared.errors import BodyTooLargeError, TransientError
from shared.messaging import topology
from shared.messaging.connection import UNAVAILABLE, connect, disconnect, open_channel, translated
from shared.messaging.envelope import ATTEMPT_HEADER, AnyEvent, encode
from shared.settings import BrokerSettings, Timing

MAX_BODY = 256_000
"""Bytes. A far larger body closes the connection, which loses every confirm in flight."""


class PublishResult(enum.Enum):
    """One message's result."""

    CONFIRMED = "confirmed"
    FULL = "full"
    UNROUTABLE = "unroutable"
    FAILED = "failed"


def build_message(event: AnyEvent, *, ttl: int | None, attempt: int) -> aio_pika.Message:
    """Return an event's AMQP message. `ttl` is in milliseconds; None never expires.

    Raises:
        BodyTooLargeError: its body is larger than 256 kB.
    """
    body = encode(event)
    if len(body) > MAX_BODY:
        raise BodyTooLargeError(f"the event has {len(body)} bytes, at most {MAX_BODY} can be sent")
    return aio_pika.Message(
        body,
        message_id=str(event.row_id),
        type=event.event_type,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        expiration=None if ttl is None else ttl / 1000,
        headers={ATTEMPT_HEADER: attempt},
    )


class Publisher:
    """Publishes batches over one long-lived connection.

    Only `connect` opens it, because `publish` runs while rows are locked. If a queue is missing, the broker lost its
    data. Then `on_queues_lost` makes the rows of lost messages due again before the topology is declared.
    """

    def __init__(
        self, settings: BrokerSettings, timing: Timing, *, name: str, on_queues_lost: Callable[[], Awaitable[None]]
    ) -> None:
        self._settings = settings
        self._timing = timing
        self._name = name
        self._on_queues_lost = on_queues_lost
        self._log = logs.get(component="publisher")
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._connecting = asyncio.Lock()

    async def connect(self) -> AbstractExchange:
        """Return the exchange, opening a connection if needed.

        Raises:
            TransientError: the broker cannot be reached.
            ConfigurationError: it rejects our credentials.
        """
        async with self._connecting:
            if (exchange := self._usable_exchange()) is not None:
                return exchange
            await self._disconnect()
            self._connection = await connect(self._settings, name=self._name)
            with translated():
                try:
                    exchange = await self._set_up(self._connection)
                except UNAVAILABLE:
                    await self._disconnect()
                    raise
            self._log.info("Connected to the broker", action="broker_connected")
            return exchange

    async def _set_up(self, connection: AbstractConnection) -> AbstractExchange:
        async with asyncio.timeout(self._timing.publish_timeout):
            complete = await topology.is_complete(connection)
        if not complete:
            self._log.warning("Queues are missing, requeueing published rows", action="queues_missing")
            await self._on_queues_lost()
        async with asyncio.timeout(self._timing.publish_timeout):
            self._channel = await open_channel(connection, publisher_confirms=True, on_return_raises=True)
            self._exchange = await topology.declare(self._channel)
        return self._exchange

    async def publish(self, batch: Sequence[aio_pika.Message]) -> list[PublishResult]:
        """Publish a batch concurrently, and return the results in order.

        Raises:
            TransientError: there is no connection; nothing was sent.
        """
        if not batch:
            return []
        exchange = self._usable_exchange()
        if exchange is None:
            raise TransientError("broker unavailable: the connection was lost before anything was sent")
        tasks = [
            asyncio.create_task(exchange.publish(message, message.type or "", mandatory=True)) for message in batch
        ]
        try:
            await asyncio.wait(tasks, timeout=self._timing.publish_timeout)
        finally:
            unfinished = [task for task in tasks if task.cancel()]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        results = [_result(outcome) for outcome in outcomes]
        if unfinished or PublishResult.FAILED in results:
            self._exchange = None  # the next batch uses a new connection, on which late confirms cannot arrive
        return results

    async def close(self) -> None:
        """Close the connection."""
        async with self._connecting:
            await self._disconnect()

    def _usable_exchange(self) -> AbstractExchange | None:
        usable = self._channel is not None and not self._channel.is_closed
        return self._exchange if usable else None

    async def _disconnect(self) -> None:
        connection, self._connection, self._channel, self._exchange = self._connection, None, None, None
        if connection is not None:
            await disconnect(connection)


def _result(outcome: object) -> PublishResult:
    match outcome:
        case PublishError():
            return PublishResult.UNROUTABLE
        case DeliveryError():
            return PublishResult.FULL
        case asyncio.CancelledError() | AttributeError():
            return PublishResult.FAILED
        case BaseException() if isinstance(outcome, UNAVAILABLE):
            return PublishResult.FAILED
        case BaseException():
            raise outcome
        case _:
            return PublishResult.CONFIRMED
