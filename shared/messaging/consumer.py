"""Consuming with explicit answers: ACK after the handler succeeded, NACK without requeue after it failed.

Nothing else is ever answered, and nothing is answered early. A rejected message goes to its dead-letter queue,
where it can be seen; whether its row is tried again is decided by the row. A requeue was rejected: a poison message
would come back at once, for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from shared import logs, metrics
from shared.errors import QuestbellError, TransientError
from shared.messaging.connection import CALL_TIMEOUT, CLOSE_TIMEOUT, UNAVAILABLE, connected, open_channel
from shared.messaging.envelope import AnyEvent, attempt_of, decode
from shared.messaging.topology import Queue
from shared.settings import BrokerSettings, Timing

_OF_SHUTDOWN = 0.7
"""The part of a shutdown that is for what is in flight; the rest is for closing connections."""

Handler = Callable[[AnyEvent], Awaitable[None]]
"""Handles one event to the end: when it returns, the outcome is committed."""


class Consumer:
    """Reads one queue over a connection of its own, at most `prefetch` messages at a time."""

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
        """Whether messages are arriving now: part of the workload's readiness."""

    async def run(self) -> None:
        """Consume until the broker ends it or the task is cancelled; then let what is in flight finish.

        Raises:
            TransientError: the broker cannot be reached, ended it, or has no such queue, yet or any more.
            ConfigurationError: it refuses our credentials.
        """
        async with connected(self._settings, name=f"questbell bot {self._queue.name}") as connection:
            try:
                async with asyncio.timeout(CALL_TIMEOUT):
                    channel = await open_channel(connection)
                    await channel.set_qos(prefetch_count=self._settings.prefetch)
                    queue = await channel.get_queue(self._queue.name)
                    ended = await _end_of(channel)
                    tag = await queue.consume(self._receive, no_ack=False)
                self.attached = True
                metrics.CONSUMER_ATTACHED.labels(self.name).set(1)
                self._log.info("Consuming", action="consumer_attached")
                try:
                    await ended.wait()
                finally:
                    await self._stop(queue, tag)
            except ChannelNotFoundEntity as error:
                raise TransientError(
                    f"queue {self._queue.name} is not there yet: the controllers declare it"
                ) from error
            except UNAVAILABLE as error:
                raise TransientError(f"broker unavailable: {error or type(error).__name__}") from error
            finally:
                self.attached = False
                metrics.CONSUMER_ATTACHED.labels(self.name).set(0)
        raise TransientError(f"the broker closed the channel, or queue {self._queue.name} was deleted")

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        task = asyncio.create_task(self._handle(message), name=f"{self._queue.name} {message.message_id}")
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _handle(self, message: AbstractIncomingMessage) -> None:
        try:
            await self._handler(decode(message.body))
        except (
            Exception
        ) as error:  # reason: whatever failed, the answer is the same NACK; the row says what happens next
            self._log.warning(
                "Rejected",
                action="nack",
                notification_id=message.message_id,
                attempt=attempt_of(message.headers),
                error=str(error),
                exc_info=None if isinstance(error, QuestbellError) else error,
            )
            await self._answer(message, "nack")
        else:
            await self._answer(message, "ack")

    async def _answer(self, message: AbstractIncomingMessage, answer: str) -> None:
        try:
            if answer == "ack":
                await message.ack()
            else:
                await message.nack(requeue=False)
        except UNAVAILABLE as error:
            # The channel is gone and the broker will deliver again; the row's outcome is committed, so that copy is
            # dropped.
            self._log.info(
                "Could not answer", action="answer_lost", notification_id=message.message_id, error=str(error)
            )
        else:
            metrics.CONSUMED.labels(self._queue.name, answer).inc()

    async def _stop(self, queue: AbstractQueue, tag: str) -> None:
        """Take no more, and let what is in flight finish; without a connection its answers are lost, not its work."""
        clock = asyncio.get_running_loop().time
        until = clock() + min(self._timing.lease, _OF_SHUTDOWN * self._timing.shutdown)
        with suppress(*UNAVAILABLE):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await queue.cancel(tag)
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=max(0.0, until - clock()))


async def _end_of(channel: AbstractChannel) -> asyncio.Event:
    """Return what is set when nothing comes any more: the channel is closed, or its queue deleted while it lives."""
    ended = asyncio.Event()
    channel.close_callbacks.add(lambda *_of: ended.set())
    (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lambda _frame: ended.set())
    return ended
