"""The scheduler loop: claim due rows, publish them with confirms, mark them and commit.

A crash before the commit loses nothing, because the rows become claimable again. The bot settles a row once, even if
its message is published twice.
"""

from __future__ import annotations

import asyncio

from controllers.loops import queries, stats
from controllers.loops.base import LoopStatus, Pause, PollingLoop, finish_uncancelled, format_capped
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.publishing import RowPublisher
from controllers.loops.sources import ClaimedRow, ScheduleTable
from controllers.resources.models import SchedulerSpec
from shared import database, logs, metrics
from shared.database import Sessions
from shared.messaging.publisher import Publisher, PublishResult
from shared.schedule.retry import Backoff
from shared.settings import Timing

QUEUE_FULL_PAUSE = 0.1
"""Seconds. The bot empties a queue much faster."""
ROWS_LOCKED_PAUSE = Backoff(first=0.2, longest=0.2)
"""Seconds, with jitter, if other replicas have locked the due rows."""
PURGE_INTERVAL = 60.0
"""Seconds between purges of settled rows."""
RECONNECT = Backoff(first=0.2, longest=5.0)
"""Delays while a server is unavailable. Early retries cost nothing."""


class DispatchLoop(PollingLoop[SchedulerSpec]):
    """Publishes one table's due rows."""

    ready = LoopStatus(True, "Dispatching", "Due rows are published")
    suspended = LoopStatus(False, "Suspended", "No rows are published while spec.suspend is true")

    def __init__(
        self,
        source: ScheduleTable,
        spec: SchedulerSpec,
        *,
        sessions: Sessions,
        publisher: Publisher,
        listener: NotifyListener,
        timing: Timing,
    ) -> None:
        log = logs.get(component="dispatch", source=source.name)
        super().__init__(spec, name=source.name, backoff=RECONNECT, log=log)
        self._source = source
        self._sessions = sessions
        self._publisher = publisher
        self._listener = listener
        self._row_publisher = RowPublisher(source, publisher, timing, log)
        self._notified = asyncio.Event()
        self._purge_at = 0.0
        self._adaptive_batch_size = spec.batch_size
        """The rows that the queue is likely to accept: halved if it is full, doubled if not."""

    @property
    def interval(self) -> float:
        """Return the seconds between checks without a notification."""
        return float(self.spec.max_wait_seconds)

    async def stats(self) -> dict[str, object]:
        """Return the numbers of open and overdue rows, and the next due time."""
        async with database.transaction(self._sessions) as session:
            rows = await stats.count_rows(session, self._source)
        return {
            "pending": format_capped(rows.pending),
            "overdue": format_capped(rows.overdue),
            "nextDue": rows.next_due,
            "lastDispatch": self._last_dispatch,
        }

    async def run(self) -> None:
        """Dispatch until cancelled, then finish the current iteration."""
        self._notified = self._listener.subscribe()
        try:
            await super().run()
        finally:
            self._listener.unsubscribe(self._notified)

    async def _iterate(self) -> Pause:
        self._notified.clear()
        return await finish_uncancelled(self._dispatch())

    async def _dispatch(self) -> Pause:
        spec = self.spec
        await self._publisher.connect()
        batch_size = min(spec.batch_size, self._adaptive_batch_size)
        queue_is_full = False
        async with database.transaction(self._sessions) as session:
            claimed = await queries.claim(session, self._source, batch_size=batch_size)
            if claimed:
                batch = await self._row_publisher.publish(session, claimed)
                self._last_dispatch = batch.confirmed_at or self._last_dispatch
                self._degraded = _degraded_reason(batch.rows)
                queue_is_full = bool(batch.rows[PublishResult.FULL])
        if queue_is_full:
            self._adaptive_batch_size = max(1, batch_size // 2)
            return Pause(QUEUE_FULL_PAUSE)
        self._adaptive_batch_size = 2 * batch_size
        if len(claimed) == batch_size:
            return Pause(0.0)
        return Pause(await self._seconds_until_next(spec, has_claimed=bool(claimed)), until=(self._notified,))

    async def _seconds_until_next(self, spec: SchedulerSpec, *, has_claimed: bool) -> float:
        async with database.transaction(self._sessions) as session:
            seconds = await queries.seconds_until_next(session, self._source)
        if seconds is not None and seconds <= 0:
            return 0.0 if has_claimed else ROWS_LOCKED_PAUSE.delay(1)
        await self._purge(spec)
        return float(spec.max_wait_seconds) if seconds is None else min(seconds, spec.max_wait_seconds)

    async def _purge(self, spec: SchedulerSpec) -> None:
        clock = asyncio.get_running_loop().time
        if clock() < self._purge_at:
            return
        async with database.transaction(self._sessions) as session:
            count = await queries.purge(session, self._source, retention_days=spec.retention_days)
        self._purge_at = clock() + (1.0 if count else PURGE_INTERVAL)
        if count:
            metrics.PURGED.labels(self._source.name).inc(count)
            self._log.info("Purged settled rows", action="purged", count=count)


def _degraded_reason(rows: dict[PublishResult, list[ClaimedRow]]) -> str | None:
    if unroutable := rows[PublishResult.UNROUTABLE]:
        return f"{len(unroutable)} messages were unroutable: a missing queue or binding is declared again"
    if failed := rows[PublishResult.FAILED]:
        return f"{len(failed)} publishes were not confirmed and are retried"
    if rows[PublishResult.FULL]:
        return "The queue is full: the bot is too slow or not running. Rows wait in the database"
    return None
