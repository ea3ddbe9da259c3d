"""The dead-letter loop handles rejected and expired messages in bounded runs.

It decides nothing about delivery. Requeueing within a run was rejected: a poison message would be read thousands of
times per second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue

from controllers.loops import queries, stats
from controllers.loops.base import LoopStatus, Pause, PollingLoop, finish_uncancelled, format_capped
from controllers.loops.dead_letter_batch import Reconciliation
from controllers.loops.publishing import RowPublisher
from controllers.loops.sources import SOURCES
from controllers.resources.models import DeadLetterReconcilerSpec
from shared import database, logs
from shared.database import Sessions
from shared.errors import TransientError
from shared.messaging.connection import (
    CALL_TIMEOUT,
    CLOSE_TIMEOUT,
    UNAVAILABLE,
    close,
    connect,
    open_channel,
    translated,
)
from shared.messaging.publisher import Publisher
from shared.messaging.topology import inspect, missing_queue_error, queue_depths
from shared.schedule.retry import Backoff
from shared.settings import BrokerSettings, Timing

RECONNECT = Backoff(first=0.5, longest=5.0)
"""Delays while a server is unavailable."""
FIRST_MESSAGE_TIMEOUT = 10.0
"""Seconds to wait for a batch's first message. A busy broker is slow."""
NEXT_MESSAGE_TIMEOUT = 0.5
"""Seconds to wait for each further message."""
SHORT_INTERVAL = 5.0
"""Seconds to the next run if another replica handles dead letters."""

Received = asyncio.Queue[AbstractIncomingMessage]


class DeadLetterLoop(PollingLoop[DeadLetterReconcilerSpec]):
    """Empties the dead-letter queues."""

    ready = LoopStatus(True, "Reconciling", "Dead letters are handled on the interval")
    suspended = LoopStatus(False, "Suspended", "Dead letters stay in their queues while spec.suspend is true")

    def __init__(
        self,
        spec: DeadLetterReconcilerSpec,
        *,
        sessions: Sessions,
        publisher: Publisher,
        broker: BrokerSettings,
        timing: Timing,
    ) -> None:
        log = logs.get(component="dead_letters")
        super().__init__(spec, name="DeadLetters", backoff=RECONNECT, log=log)
        self._sessions = sessions
        self._publisher = publisher
        self._broker = broker
        self._row_publishers = {
            name: RowPublisher(source, publisher, timing, log.bind(source=name)) for name, source in SOURCES.items()
        }
        self._connection: AbstractConnection | None = None
        self._connecting = asyncio.Lock()
        self._last_run: datetime | None = None
        self._republished = 0

    @property
    def interval(self) -> float:
        """Return the seconds between runs."""
        return float(self.spec.interval_seconds)

    async def stats(self) -> dict[str, object]:
        """Return the counts, the oldest failed row's due time, and the last results."""
        depths = await queue_depths(await self._connected(), self.spec.queues)
        min_attempts = self.spec.alert_after_attempts
        async with database.transaction(self._sessions) as session:
            retries = await stats.count_retries(session, min_attempts=min_attempts)
            parked = await stats.count_parked_messages(session)
        parked_count = format_capped(sum(parked.values()), cap=stats.PARKED_CAP)
        problems = []
        if retries.failing:
            problems.append(f"{format_capped(retries.failing)} rows failed {min_attempts} times or more")
        if parked:
            problems.append(f"{parked_count} messages are parked, see `questbell dead-letters list`")
        self._degraded = "; ".join(problems) or None
        return {
            "depth": sum(depths.values()),
            "oldest": retries.oldest,
            "republished": self._republished,
            "parked": parked_count,
            "lastRun": self._last_run,
        }

    async def run(self) -> None:
        """Run until cancelled, then finish the current batch."""
        try:
            await super().run()
        finally:
            await self._disconnect()

    async def _iterate(self) -> Pause:
        return Pause(self.interval if await self._handle_queues() else min(self.interval, SHORT_INTERVAL))

    async def _handle_queues(self) -> bool:
        """Handle at most each queue's current messages. Return False if another replica does so.

        Raises:
            TransientError: a queue could not be handled. The others were.
        """
        problems: list[TransientError] = []
        run = Reconciliation(self._sessions, self._row_publishers, self._log)
        async with queries.try_dead_letter_lock(self._sessions) as is_locked:
            if not is_locked:
                return False
            steps: list[Callable[[], Awaitable[None]]] = [
                self._publisher.connect,
                *(partial(self._drain, name, run) for name in self.spec.queues),
            ]
            for step in steps:
                try:
                    await step()
                except TransientError as error:
                    problems.append(error)
            async with database.transaction(self._sessions) as session:
                self._last_run = await database.now(session)
        self._republished = run.counts.republished
        if run.counts.total:
            self._log.info(
                "Handled dead letters",
                action="dead_letters_run",
                republished=run.counts.republished,
                dropped=run.counts.dropped,
                parked=run.counts.parked,
            )
        if problems:
            raise problems[0]
        return True

    async def _drain(self, name: str, run: Reconciliation) -> None:
        with translated():
            try:
                async with asyncio.timeout(CALL_TIMEOUT):
                    connection = await self._connected()
                    state = await inspect(connection, name)
                    if state is None:
                        raise missing_queue_error(name)
                    channel = await open_channel(connection)
                try:
                    await self._handle_batches(name, channel, run, remaining=state.message_count)
                finally:
                    if not await close(channel):  # or its unacknowledged messages do not return
                        await self._disconnect()
            except UNAVAILABLE:
                await self._disconnect()
                raise

    async def _handle_batches(
        self, name: str, channel: AbstractChannel, run: Reconciliation, *, remaining: int
    ) -> None:
        async with asyncio.timeout(CALL_TIMEOUT):
            queue = await channel.get_queue(name, ensure=False)
            received, consumer_tag = await _consume(channel, queue, prefetch=self.spec.batch_size)
        while remaining > 0:  # it falls with each batch
            batch = await _receive(received, min(remaining, self.spec.batch_size))
            if not batch:
                break
            remaining -= len(batch)
            await finish_uncancelled(run.handle(name, batch))
            self._record_progress()
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await queue.cancel(consumer_tag)  # or a busy quorum queue forgets the channel's last acknowledgements

    async def _connected(self) -> AbstractConnection:
        async with self._connecting:
            if self._connection is None or self._connection.is_closed:
                await self._disconnect()
                self._connection = await connect(self._broker, name="questbell dead letters")
            return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)


async def _consume(channel: AbstractChannel, queue: AbstractQueue, *, prefetch: int) -> tuple[Received, str]:
    """Return a queue's messages and the consumer tag. A get takes a round trip per message."""
    received: Received = asyncio.Queue()
    await channel.set_qos(prefetch_count=prefetch)
    return received, await queue.consume(received.put, no_ack=False)


async def _receive(received: Received, count: int) -> list[AbstractIncomingMessage]:
    """Return at most `count` messages."""
    batch: list[AbstractIncomingMessage] = []
    while len(batch) < count:
        try:
            async with asyncio.timeout(NEXT_MESSAGE_TIMEOUT if batch else FIRST_MESSAGE_TIMEOUT):
                batch.append(await received.get())
        except TimeoutError:
            break
    return batch
