"""Consuming with explicit answers: ACK after success, NACK without requeue after failure.

A rejected message goes to its dead-letter queue, and its row decides about another attempt. Requeueing was rejected: a
poison message would be redelivered immediately and forever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.abc import DeliveredMessage

from shared import logs, metrics
from shared.errors import NewerMessageError, QuestbellError, TransientError
from shared.messaging.acknowledgements import Acknowledgements
from shared.messaging.connection import CALL_TIMEOUT, CLOSE_TIMEOUT, connected, open_channel, translated
from shared.messaging.envelope import AnyEvent, attempt_of, decode
from shared.messaging.topology import Queue, missing_queue_error
from shared.settings import BrokerSettings, Timing

_DRAIN_SHARE = 0.7
"""The share of the shutdown time for messages in flight."""

Handler = Callable[[AnyEvent], Awaitable[None]]
"""Handles an event, and returns once the outcome is committed."""


class Consumer:
    """Consumes one queue over its own connection."""

    def __init__(self, settings: BrokerSettings, timing: Timing, *, queue: Queue, handler: Handler) -> None:
        self._settings = settings
        self._timing = timing
        self._queue = queue
        self.name = queue.name
        self._handler = handler
        self._log = logs.get(component="consumer", queue=queue.name)
        self._in_flight: set[asyncio.Task[None]] = set()
        metrics.IN_FLIGHT.labels(queue.name).set_function(lambda: len(self._in_flight))
        self.attached = False
        """Whether the queue is being consumed, for readiness."""

    async def run(self) -> None:
        """Consume until cancelled or until the broker ends it, then finish messages in flight.

        Raises:
            TransientError: the broker cannot be reached, ended the consumer, or lacks the queue.
            ConfigurationError: the broker rejects our credentials.
        """
        async with connected(self._settings, name=f"questbell bot {self._queue.name}") as connection:
            with translated():
                try:
                    await self._consume(connection)
                except ChannelNotFoundEntity as error:
                    raise missing_queue_error(self._queue.name) from error
        raise TransientError(f"the broker closed the channel, or queue {self._queue.name} was deleted")

    async def _consume(self, connection: AbstractConnection) -> None:
        async with asyncio.timeout(CALL_TIMEOUT):
            opened = await open_channel(connection)
            await opened.set_qos(prefetch_count=self._settings.prefetch)
            await opened.get_queue(self._queue.name)
            ended = await _end_of(opened)
            # With the consumer of aio-pika, each message would take another task and another object.
            channel = await opened.get_underlay_channel()
            receive = partial(self._receive, Acknowledgements(channel))
            consuming = await channel.basic_consume(self._queue.name, receive, no_ack=False)
        self._set_attached(True)
        self._log.info("Consuming", action="consumer_attached")
        try:
            await ended.wait()
        finally:
            try:
                await self._stop(channel, consuming.consumer_tag or "")
            finally:
                self._set_attached(False)

    def _set_attached(self, attached: bool) -> None:
        self.attached = attached
        metrics.CONSUMER_ATTACHED.labels(self.name).set(attached)

    async def _receive(self, acknowledgements: Acknowledgements, message: DeliveredMessage) -> None:
        # A task of ours, because aiormq cancels its own when the channel closes.
        task = asyncio.create_task(self._handle(message, acknowledgements))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _handle(self, message: DeliveredMessage, acknowledgements: Acknowledgements) -> None:
        notification_id = message.header.properties.message_id
        try:
            await self._handler(decode(message.body))
        except NewerMessageError as error:
            # Its row stays open, and is published again for a newer bot.
            self._log.info("Dropped", action="left_to_newer", notification_id=notification_id, reason=str(error))
            await self._answer(message, "ack", acknowledgements)
        # reason: every failure has the same answer, a NACK; the row decides what happens next
        except Exception as error:
            self._log.warning(
                "Rejected",
                action="nack",
                notification_id=notification_id,
                attempt=attempt_of(message.header.properties.headers or {}),
                error=str(error),
                exc_info=None if isinstance(error, QuestbellError) else error,
            )
            await self._answer(message, "nack", acknowledgements)
        else:
            await self._answer(message, "ack", acknowledgements)

    async def _answer(self, message: DeliveredMessage, answer: str, acknowledgements: Acknowledgements) -> None:
        tag = message.delivery_tag or 0
        try:
            if answer == "ack":
                await acknowledgements.ack(tag)
            else:
                await acknowledgements.nack(tag)
        except TransientError as error:
            # The channel is gone, so the broker redelivers. The outcome is committed, so the redelivery does nothing.
            notification_id = message.header.properties.message_id
            self._log.info("Could not answer", action="answer_lost", notification_id=notification_id, error=str(error))
        else:
            metrics.CONSUMED.labels(self._queue.name, answer).inc()

    async def _stop(self, channel: aiormq.abc.AbstractChannel, consumer_tag: str) -> None:
        """Finish messages in flight. Without a connection only their answers are lost."""
        clock = asyncio.get_running_loop().time
        until = clock() + min(self._timing.lease, _DRAIN_SHARE * self._timing.shutdown)
        with suppress(TransientError), translated():
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await channel.basic_cancel(consumer_tag)
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=max(0.0, until - clock()))


async def _end_of(channel: AbstractChannel) -> asyncio.Event:
    """Return an event for the end of the channel or queue."""
    ended = asyncio.Event()
    channel.close_callbacks.add(lambda *_args: ended.set())
    (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lambda _frame: ended.set())
    return ended
