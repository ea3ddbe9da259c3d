"""The scheduler loop: claim what is due, publish it confirmed, mark it, commit; then wait for the next.

The same loop serves both sources. A crash at any point loses nothing: before the commit the rows come back with the
connection, and a copy that was published twice meets the same row at the bot.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from controllers.loops import housekeeping
from controllers.loops import queries as rows
from controllers.loops.base import LoopStatus, finish_uncancelled, format_capped
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.progress import Progress
from controllers.loops.publishing import RowPublisher
from controllers.loops.sources import ClaimedRow, ScheduleTable
from controllers.resources.models import SchedulerSpec
from shared import database, logs, metrics
from shared.database import Sessions
from shared.errors import TransientError, reraise_cancellation
from shared.messaging.publisher import Answer, Publisher
from shared.schedule.retry import Backoff
from shared.settings import Timing

FULL_PAUSE = 0.1
"""Seconds to wait when the broker says that a queue is full: the bot empties it far faster than it is asked."""
HELD_PAUSE = Backoff(first=0.2, longest=0.2)
"""Seconds to wait, with jitter, when rows are due but another replica holds them."""
PURGE_INTERVAL = 60.0
"""Seconds between two purges of settled rows."""
RECONNECT = Backoff(first=0.2, longest=5.0)
"""Delays while the database or the broker is away: rows keep their times, so coming back early costs nothing."""


class DispatchLoop:
    """Publishes the rows of one source when they are due, until cancelled."""

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
        self.spec = spec
        self._source = source
        self._sessions = sessions
        self._publisher = publisher
        self._listener = listener
        self._log = logs.get(component="dispatch", source=source.name)
        self._rows = RowPublisher(source, publisher, timing, self._log)
        self._progress = Progress(source.name)
        self._changed = asyncio.Event()
        self._purge_at = 0.0
        self._room = spec.batch_size
        """How many rows the queue is likely to take: halved when it is full, doubled when it is not."""
        self._last_dispatch: datetime | None = None
        self._degraded: str | None = None
        self._trouble: str | None = "starting"

    def apply(self, spec: SchedulerSpec) -> None:
        """Take a new spec, effective at the next iteration, which starts at once."""
        self.spec = spec
        self._changed.set()

    def status(self) -> LoopStatus:
        """Say how it goes."""
        said = (self._last_dispatch, self._degraded)
        if self.spec.suspend:
            return LoopStatus(False, "Suspended", "Nothing is dispatched while spec.suspend is true", *said)
        if self._trouble is not None:
            return LoopStatus(False, "Waiting", self._trouble, *said)
        return LoopStatus(True, "Dispatching", "What is due is published", *said)

    async def stats(self) -> dict[str, object]:
        """Return how many rows are open and overdue, and when the next is due."""
        async with database.transaction(self._sessions) as session:
            found = await housekeeping.figures(session, self._source)
        return {
            "pending": format_capped(found["pending"]),
            "overdue": format_capped(found["overdue"]),
            "nextDue": found["next_due"],
            "lastDispatch": self._last_dispatch,
        }

    async def run(self) -> None:
        """Dispatch until cancelled; an iteration that has begun is finished first."""
        hint = self._listener.subscribe()
        self._progress.note(wait=0.0)
        failures = 0
        try:
            while True:
                hint.clear()
                self._changed.clear()
                try:
                    pause, wakeable = await finish_uncancelled(self._iterate())
                except TransientError as error:
                    failures += 1
                    self._trouble = str(error)
                    self._log.warning("Waiting", action="dispatch_waiting", error=str(error))
                    pause, wakeable = RECONNECT.delay(failures), False
                else:
                    failures, self._trouble = 0, None
                    self._progress.note(wait=pause)
                reraise_cancellation()
                await self._wait(hint, pause, wakeable=wakeable)
        finally:
            self._listener.unsubscribe(hint)
            self._progress.end()

    async def _wait(self, hint: asyncio.Event, seconds: float, *, wakeable: bool) -> None:
        events = [self._changed, hint] if wakeable else [self._changed]
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _iterate(self) -> tuple[float, bool]:
        """Do one iteration; return the seconds to wait and whether a hint may cut them short."""
        spec = self.spec
        if spec.suspend:
            return float(spec.max_wait_seconds), False
        await self._publisher.connect()
        size = min(spec.batch_size, self._room)
        async with database.transaction(self._sessions) as session:
            due = await rows.claim(session, self._source, batch_size=size)
            if due:
                published = await self._rows.publish(session, due)
                self._last_dispatch = published.at or self._last_dispatch
                self._degraded = _degradation(published.rows)
        if due and published.rows[Answer.FULL]:
            self._room = max(1, size // 2)
            return FULL_PAUSE, False
        self._room = 2 * size
        if len(due) == size:
            return 0.0, False
        return await self._until_next(spec, claimed=len(due)), True

    async def _until_next(self, spec: SchedulerSpec, *, claimed: int) -> float:
        async with database.transaction(self._sessions) as session:
            seconds = await rows.seconds_until_next(session, self._source)
        if seconds is not None and seconds <= 0:
            return 0.0 if claimed else HELD_PAUSE.delay(1)
        await self._purge(spec)
        return float(spec.max_wait_seconds) if seconds is None else min(seconds, spec.max_wait_seconds)

    async def _purge(self, spec: SchedulerSpec) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._purge_at:
            return
        async with database.transaction(self._sessions) as session:
            gone = await housekeeping.purge(session, self._source, retention_days=spec.retention_days)
        self._purge_at = loop.time() + (1.0 if gone else PURGE_INTERVAL)
        if gone:
            metrics.PURGED.labels(self._source.name).inc(gone)
            self._log.info("Purged settled rows", action="purged", count=gone)


def _degradation(by_answer: dict[Answer, list[ClaimedRow]]) -> str | None:
    if unroutable := by_answer[Answer.UNROUTABLE]:
        return f"{len(unroutable)} messages found no queue: a binding is missing, it is declared again"
    if failed := by_answer[Answer.FAILED]:
        return f"{len(failed)} publishes were not confirmed and are tried again"
    if by_answer[Answer.FULL]:
        return "The queue is full: the bot does not keep up or does not run. Rows wait in the database"
    return None
