"""Publishing, confirmed: a message counts as sent only when the broker has said so.

`mandatory` with `on_return_raises` makes an unroutable message a failure; without both, the broker confirms what it
drops. A batch goes out concurrently under one time-out, and each message has its own result: the caller's rows fail
one by one.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, DeliveryMode
from aio_pika.exceptions import DeliveryError, PublishError

from shared import logs
from shared.errors import BodyTooLargeError, TransientError
from shared.messaging import topology
from shared.messaging.connection import UNAVAILABLE, connect, disconnect, open_channel
from shared.messaging.envelope import ATTEMPT_HEADER, AnyEvent, encode
from shared.settings import BrokerSettings, Timing

MAX_BODY = 256_000
"""Bytes. One that is far larger would be refused by closing the connection, and with it every other confirm in
flight."""


@dataclass(frozen=True)
class Outgoing:
    """An event on its way out. `ttl` is in milliseconds; None never expires."""

    event: AnyEvent
    ttl: int | None
    attempt: int


class Answer(enum.Enum):
    """What became of one publish."""

    CONFIRMED = "confirmed"
    FULL = "full"
    UNROUTABLE = "unroutable"
    FAILED = "failed"


def message(outgoing: Outgoing) -> aio_pika.Message:
    """Return the AMQP message of an event.

    Raises:
        BodyTooLargeError: its body is larger than 256 kB.
    """
    body = encode(outgoing.event)
    if len(body) > MAX_BODY:
        raise BodyTooLargeError(f"the event has {len(body)} bytes, at most {MAX_BODY} can be sent")
    return aio_pika.Message(
        body,
        message_id=str(outgoing.event.row_id),
        type=outgoing.event.event_type,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        expiration=None if outgoing.ttl is None else outgoing.ttl / 1000,
        headers={ATTEMPT_HEADER: outgoing.attempt},
    )


class Publisher:
    """One long-lived connection that publishes batches. When it is gone, `connect` makes another; `publish` does not:
    rows are locked meanwhile.

    On every connect it looks whether the queues are there. When one is missing, the broker lost its data:
    `on_queues_lost` requeues the rows whose messages are gone, and only then is the topology declared.
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
        """Return the exchange on a live connection, making one if needed.

        Raises:
            TransientError: the broker cannot be reached.
            ConfigurationError: it refuses our credentials.
        """
        async with self._connecting:
            if (exchange := self._connected()) is not None:
                return exchange
            await self._drop()
            self._connection = await connect(self._settings, name=self._name)
            try:
                async with asyncio.timeout(self._timing.publish_timeout):
                    complete = await topology.is_complete(self._connection)
                if not complete:
                    self._log.warning("Queues are missing, requeueing published rows", action="queues_missing")
                    await self._on_queues_lost()
                async with asyncio.timeout(self._timing.publish_timeout):
                    self._channel = await open_channel(self._connection, publisher_confirms=True, on_return_raises=True)
                    self._exchange = await topology.declare(self._channel)
            except UNAVAILABLE as error:
                await self._drop()
                raise TransientError(f"broker unavailable: {error or type(error).__name__}") from error
            self._log.info("Connected to the broker", action="broker_connected")
            return self._exchange

    async def publish(self, batch: Sequence[tuple[AnyEvent, aio_pika.Message]]) -> list[Answer]:
        """Publish a batch concurrently and return each message's answer, in order.

        Raises:
            TransientError: there is no connection; nothing was sent.
        """
        if not batch:
            return []
        exchange = self._connected()
        if exchange is None:
            raise TransientError("broker unavailable: the connection was lost before anything was sent")
        tasks = [
            asyncio.create_task(
                exchange.publish(prepared, event.event_type, mandatory=True)
            )  # the type is the routing key
            for event, prepared in batch
        ]
        try:
            await asyncio.wait(tasks, timeout=self._timing.publish_timeout)
        finally:
            unfinished = [task for task in tasks if task.cancel()]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        answers = [_answer(result) for result in results]
        if unfinished or Answer.FAILED in answers:
            self._exchange = None  # the next batch has a connection of its own, where late confirms do not arrive
        return answers

    def _connected(self) -> AbstractExchange | None:
        usable = self._channel is not None and not self._channel.is_closed
        return self._exchange if usable else None

    async def close(self) -> None:
        """Close the connection."""
        async with self._connecting:
            await self._drop()

    async def _drop(self) -> None:
        connection, self._connection, self._channel, self._exchange = self._connection, None, None, None
        if connection is not None:
            await disconnect(connection)


def _answer(result: object) -> Answer:
    match result:
        case PublishError():
            return Answer.UNROUTABLE
        case DeliveryError():
            return Answer.FULL
        case asyncio.CancelledError() | AttributeError():
            return Answer.FAILED
        case BaseException() if isinstance(result, UNAVAILABLE):
            return Answer.FAILED
        case BaseException():
            raise result
        case _:
            return Answer.CONFIRMED
