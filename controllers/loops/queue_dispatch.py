"""Publishes the due rows of one queue: claim them, publish them with confirms, mark them and commit.

A crash before the commit loses nothing, because the rows become claimable again. The bot settles a row once, even if
its message is published twice.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

from controllers.loops import queries
from controllers.loops.base import LoopStatus, Pause, PollingLoop, finish_uncancelled
from controllers.loops.fullness import ROOM_AFTER, Acceptance, BatchSize, Fullness
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.publishing import RowPublisher
from controllers.loops.sources import ClaimedRow, ScheduleTable
from controllers.resources.models import SchedulerSpec
from shared import database, logs
from shared.database import Sessions
from shared.messaging.publisher import Publisher, PublishResult
from shared.messaging.topology import Queue
from shared.schedule.retry import Backoff
from shared.settings import Timing

QUEUE_FULL_PAUSE = 0.2
"""Seconds. Meanwhile, the bot takes only a part of a full queue."""
ROWS_LOCKED_PAUSE = Backoff(first=0.2, longest=0.2)
"""Seconds, with jitter, if other replicas have locked the due rows."""
RECONNECT = Backoff(first=0.2, longest=5.0)
"""Delays while a server is unavailable. Early retries cost nothing."""
INSPECT_INTERVAL = 10.0
"""Seconds between questions to the broker about a queue that takes no messages."""

PublishedRows: TypeAlias = Mapping[PublishResult, Sequence[ClaimedRow]]
_NOTHING: PublishedRows = {}


class QueueDispatch(PollingLoop[SchedulerSpec]):
    """One queue's part of a scheduler loop, which no other queue delays."""

    ready = LoopStatus(True, "Dispatching", "Due rows are published")
    suspended = LoopStatus(False, "Suspended", "No rows are published while spec.suspend is true")

    def __init__(
        self,
        source: ScheduleTable,
        queue: Queue,
        spec: SchedulerSpec,
        *,
        sessions: Sessions,
        publisher: Publisher,
        listener: NotifyListener,
        timing: Timing,
    ) -> None:
        log = logs.get(component="dispatch", source=source.name, queue=queue.name)
        super().__init__(spec, name=queue.name, backoff=RECONNECT, log=log)
        self._source = source
        self._queue = queue
        self._sessions = sessions
        self._publisher = publisher
        self._listener = listener
        self._row_publisher = RowPublisher(source, publisher, timing, log)
        self._notified = asyncio.Event()
        self._fullness = Fullness(log)
        self._acceptance = Acceptance()
        self._inspect_at = 0.0
        self._is_broken = False
        """Whether the queue takes no messages although it is empty."""
        self._expects_rows = True
        """Whether a row may be due. Otherwise the loop first asks when the next one is, which alone costs less."""
        self._batch_size = BatchSize(partial(publisher.inspect, queue))

    @property
    def interval(self) -> float:
        """Return the seconds between checks without a notification."""
        return float(self.spec.max_wait_seconds)

    async def stats(self) -> dict[str, object]:
        """Return nothing: a table's rows are counted together."""
        return {}

    async def run(self) -> None:
        """Dispatch until cancelled, then finish the current iteration."""
        self._notified = self._listener.subscribe()
        try:
            await super().run()
        finally:
            self._listener.unsubscribe(self._notified)

    async def _iterate(self) -> Pause:
        self._expects_rows |= self._notified.is_set()
        self._notified.clear()
        return await finish_uncancelled(self._dispatch())

    async def _dispatch(self) -> Pause:
        await self._publisher.connect(self._queue)
        seconds = 0.0 if self._expects_rows else await self._seconds_until_next(is_alone=True)
        if seconds > 0:
            await self._observe(_NOTHING, is_full=False)
            return self._wait(seconds)
        self._expects_rows = True
        batch_size = await self._batch_size.limit(self.spec.batch_size)
        if not batch_size:
            await self._observe(_NOTHING, is_full=True)
            return Pause(QUEUE_FULL_PAUSE)
        claimed, rows = await self._publish_due(batch_size)
        is_rejected = bool(rows.get(PublishResult.FULL))
        self._batch_size.observe(batch_size, claimed=claimed, is_rejected=is_rejected)
        await self._observe(rows, is_full=is_rejected)
        if is_rejected:
            return Pause(QUEUE_FULL_PAUSE)
        if claimed == batch_size:
            return Pause(0.0)
        seconds = await self._seconds_until_next()
        if seconds <= 0:
            return Pause(0.0 if claimed else ROWS_LOCKED_PAUSE.delay(1), until=(self._notified,))
        return self._wait(seconds)

    def _wait(self, seconds: float) -> Pause:
        spec = self.spec
        longest = min(spec.max_wait_seconds, ROOM_AFTER) if self._fullness.is_full else spec.max_wait_seconds
        self._expects_rows = seconds <= longest
        return Pause(min(seconds, longest), until=(self._notified,))

    async def _observe(self, rows: PublishedRows, *, is_full: bool) -> None:
        self._fullness.observe(is_full=is_full)
        self._acceptance.observe([result for result, published in rows.items() if published])
        await self._inspect()
        self._degraded = self._find_problem(rows)

    async def _publish_due(self, batch_size: int) -> tuple[int, PublishedRows]:
        """Publish a batch of due rows. Return how many were claimed, and the rows by result."""
        async with database.transaction(self._sessions) as session:
            claimed = await queries.claim(session, self._source, queue=self._queue, batch_size=batch_size)
            if not claimed:
                return 0, _NOTHING
            batch = await self._row_publisher.publish(session, claimed)
            self._last_dispatch = batch.confirmed_at or self._last_dispatch
        return len(claimed), batch.rows

    async def _seconds_until_next(self, *, is_alone: bool = False) -> float:
        """Return the seconds until the next row is due. If asked alone, no claim has shown that writes are accepted."""
        async with database.transaction(self._sessions) as session:
            if is_alone:
                await database.require_writable(session)
            seconds = await queries.seconds_until_next(session, self._source, self._queue)
        return math.inf if seconds is None else seconds

    async def _inspect(self) -> None:
        """Find out whether a queue that takes no messages is broken. One that is full has messages."""
        if not self._acceptance.is_stuck:
            self._is_broken = False
            return
        now = asyncio.get_running_loop().time()
        if now < self._inspect_at:
            return
        self._inspect_at = now + INSPECT_INTERVAL
        state = await self._publisher.inspect(self._queue)
        is_broken = state is not None and state.message_count == 0
        if is_broken and not self._is_broken:
            self._log.warning("The queue takes no messages although it is empty", action="queue_broken")
        self._is_broken = is_broken

    def _find_problem(self, rows: PublishedRows) -> str | None:
        name = self._queue.name
        if self._is_broken:
            return (
                f"{name} has taken no messages for minutes although it is empty and RabbitMQ answers: "
                "see QuestbellQueueFull in the runbook"
            )
        if unroutable := rows.get(PublishResult.UNROUTABLE):
            return f"{name}: {len(unroutable)} messages were unroutable; the binding is declared again"
        if failed := rows.get(PublishResult.FAILED):
            return f"{name}: {len(failed)} publishes were not confirmed and are retried"
        if self._fullness.is_degraded:
            return f"{name} is full: the bot is too slow or not running. Rows wait in the database"
        return self._publisher.problem(self._queue)
