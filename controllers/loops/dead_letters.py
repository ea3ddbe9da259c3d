"""The dead-letter loop: looks at what was rejected or expired, on start and on an interval, in runs that end.

It decides nothing about telling. A dead letter is unreadable (parked), or its row needs no copy now (dropped), or
its row is won and published again without TTL, by the same engine as the scheduler's, and acknowledged after the
confirm. Requeueing inside a run was rejected: a poison message would be read thousands of times a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from controllers.loops import housekeeping
from controllers.loops.base import LoopStatus, finish_uncancelled, format_capped, wait_or_event
from controllers.loops.dead_letter_batch import Reconciliation, Tally
from controllers.loops.progress import Progress
from controllers.loops.publishing import RowPublisher
from controllers.loops.sources import SOURCES
from controllers.resources.models import DeadLetterReconcilerSpec
from shared import database, logs
from shared.database import Sessions
from shared.errors import TransientError, reraise_cancellation
from shared.messaging.connection import (
    CALL_TIMEOUT,
    CLOSE_TIMEOUT,
    UNAVAILABLE,
    connect,
    disconnect,
    open_channel,
)
from shared.messaging.publisher import Publisher
from shared.schedule.retry import Backoff
from shared.settings import BrokerSettings, Timing

RECONNECT = Backoff(first=0.5, longest=5.0)
"""Delays while the database or the broker is away."""
ARRIVE_WITHIN = 10.0
"""Seconds for the next message of a queue that said it has more; a busy broker takes its time."""
MORE_WITHIN = 0.5
"""Seconds for each further message of a batch; a batch that is not full is handled as well."""
SOON = 5.0
"""Seconds until the next run when a main queue was full, whose rows wait in the database anyway, or when another loop
was looking at dead letters."""


class DeadLetterLoop:
    """Empties dead-letter queues until cancelled."""

    def __init__(
        self,
        spec: DeadLetterReconcilerSpec,
        *,
        sessions: Sessions,
        publisher: Publisher,
        broker: BrokerSettings,
        timing: Timing,
    ) -> None:
        self.spec = spec
        self._sessions = sessions
        self._publisher = publisher
        self._broker = broker
        self._log = logs.get(component="dead_letters")
        self._rows = {
            name: RowPublisher(source, publisher, timing, self._log.bind(source=name))
            for name, source in SOURCES.items()
        }
        self._connection: AbstractConnection | None = None
        self._connecting = asyncio.Lock()
        self._changed = asyncio.Event()
        self._trouble: str | None = "starting"
        self._degraded: str | None = None
        self._republished = 0
        self._last_run: datetime | None = None
        self._progress = Progress("DeadLetters")

    def apply(self, spec: DeadLetterReconcilerSpec) -> None:
        """Take a new spec; a run with it starts at once."""
        self.spec = spec
        self._changed.set()

    def status(self) -> LoopStatus:
        """Say how it goes."""
        said = (self._last_run, self._degraded)
        if self.spec.suspend:
            return LoopStatus(False, "Suspended", "Dead letters stay where they are while spec.suspend is true", *said)
        if self._trouble is not None:
            return LoopStatus(False, "Waiting", self._trouble, *said)
        return LoopStatus(True, "Reconciling", "Dead letters are looked at on the interval", *said)

    async def stats(self) -> dict[str, object]:
        """Return how many dead letters wait, how old the oldest open failure is, and what was done."""
        depths = await depths_of(await self._connected(), self.spec.queues)
        async with database.transaction(self._sessions) as session:
            state = await housekeeping.retries(session, after=self.spec.alert_after_attempts)
        self._degraded = _degradation(state.stubborn, after=self.spec.alert_after_attempts)
        return {
            "depth": sum(depths.values()),
            "oldest": state.oldest,
            "republished": self._republished,
            "parked": format_capped(state.parked, cap=housekeeping.PARKED_CAP),
            "lastRun": self._last_run,
        }

    async def run(self) -> None:
        """Run now, and again on each interval, until cancelled; a batch that has begun is finished first."""
        failures = 0
        self._progress.note(wait=0.0)
        try:
            while True:
                self._changed.clear()
                seconds = float(self.spec.interval_seconds)
                if not self.spec.suspend:
                    try:
                        tally = await self._run_once()
                    except TransientError as error:
                        failures += 1
                        self._trouble, seconds = str(error), RECONNECT.delay(failures)
                        self._log.warning("Waiting", action="dead_letters_waiting", error=str(error))
                    else:
                        failures, self._trouble = 0, None
                        seconds = min(seconds, SOON) if tally is None or tally.full else seconds
                if self._trouble is None or self.spec.suspend:
                    self._progress.note(wait=seconds)
                reraise_cancellation()
                await wait_or_event(self._changed, timeout=seconds)
        finally:
            self._progress.end()
            await self._disconnect()

    async def _run_once(self) -> Tally | None:
        """Handle as many messages as each queue held at the start, and end; return None while another loop does."""
        await self._publisher.connect()
        run = Reconciliation(self._sessions, self._rows, self._log)
        async with housekeeping.alone(self._sessions) as alone:
            if not alone:
                return None
            for name in self.spec.queues:
                await self._drain(name, run)
            async with database.transaction(self._sessions) as session:
                self._last_run = await database.now(session)
        self._republished = run.tally.republished
        if run.tally.total:
            self._log.info(
                "Looked at dead letters",
                action="dead_letters_run",
                republished=run.tally.republished,
                dropped=run.tally.dropped,
                parked=run.tally.parked,
            )
        return run.tally

    async def _drain(self, name: str, run: Reconciliation) -> None:
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                channel = await open_channel(await self._connected())
            try:
                async with asyncio.timeout(CALL_TIMEOUT):
                    queue = await channel.declare_queue(name, passive=True)
                    arriving, tag = await _arriving(channel, queue, at_once=self.spec.batch_size)
                left = queue.declaration_result.message_count or 0
                while left > 0 and not run.tally.full:
                    taken = await _taken(arriving, min(left, self.spec.batch_size))
                    if not taken:
                        break
                    left -= len(taken)
                    await finish_uncancelled(run.handle(name, taken))
                    self._progress.note()
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await queue.cancel(tag)  # or a busy quorum queue forgets the last acknowledgements of a channel
            finally:
                await self._give_back(channel)
        except UNAVAILABLE as error:
            await self._disconnect()
            raise TransientError(f"broker unavailable: {error or type(error).__name__}") from error

    async def _give_back(self, channel: AbstractChannel) -> None:
        """Close the channel, which returns what was not answered to its queue.

        One whose last call was cancelled may not answer any more: the connection goes then.
        """
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await channel.close()
        except UNAVAILABLE:
            await self._disconnect()

    async def _connected(self) -> AbstractConnection:
        async with self._connecting:
            if self._connection is None or self._connection.is_closed:
                await self._disconnect()
                self._connection = await connect(self._broker, name="questbell dead letters")
            return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await disconnect(connection)


Arriving = asyncio.Queue[AbstractIncomingMessage]


async def _arriving(channel: AbstractChannel, queue: AbstractQueue, *, at_once: int) -> tuple[Arriving, str]:
    """Have a queue's messages come by themselves, so many unanswered ones at a time: asking for each takes a round
    trip. Return where they come, and the consumer's tag."""
    arriving: Arriving = asyncio.Queue()
    await channel.set_qos(prefetch_count=at_once)
    return arriving, await queue.consume(arriving.put, no_ack=False)


async def _taken(arriving: Arriving, count: int) -> list[AbstractIncomingMessage]:
    """Return the next messages, fewer than `count` when no more come."""
    taken: list[AbstractIncomingMessage] = []
    while len(taken) < count:
        try:
            async with asyncio.timeout(MORE_WITHIN if taken else ARRIVE_WITHIN):
                taken.append(await arriving.get())
        except TimeoutError:
            break  # another replica or a person took the rest
    return taken


async def depths_of(connection: AbstractConnection, queues: Sequence[str]) -> dict[str, int]:
    """Return how many messages are ready in each of some queues.

    Raises:
        TransientError: the broker is away, or a queue is not declared yet.
    """
    depths = {}
    try:
        for name in queues:
            async with asyncio.timeout(CALL_TIMEOUT):
                channel = await open_channel(connection)
                depths[name] = (await channel.declare_queue(name, passive=True)).declaration_result.message_count or 0
                await channel.close()
    except ChannelNotFoundEntity as error:
        raise TransientError("a dead-letter queue is missing; it is declared at the next connect") from error
    except UNAVAILABLE as error:
        raise TransientError(f"broker unavailable: {error or type(error).__name__}") from error
    return depths


def _degradation(stubborn: int, *, after: int) -> str | None:
    return f"{stubborn} rows failed {after} times or more and are tried again" if stubborn else None
