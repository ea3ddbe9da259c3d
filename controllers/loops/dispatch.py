"""The scheduler loop of one table: a loop for each of its queues, so that a full queue holds up no other."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from controllers.loops import stats
from controllers.loops.base import LoopStatus, format_capped
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.purge import PurgeLoop
from controllers.loops.queue_dispatch import RECONNECT, QueueDispatch
from controllers.loops.sources import ScheduleTable
from controllers.resources.models import SchedulerSpec
from shared import database
from shared.database import Sessions
from shared.messaging.publisher import Publisher
from shared.settings import Timing


class DispatchLoop:
    """Publishes one table's due rows, and purges its settled ones."""

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
        self._source = source
        self._sessions = sessions
        self._queues = [
            QueueDispatch(source, queue, spec, sessions=sessions, publisher=publisher, listener=listener, timing=timing)
            for queue in source.queues
        ]
        self._purge = PurgeLoop(source, spec, sessions=sessions, backoff=RECONNECT)
        self._newer_rows = 0

    @property
    def spec(self) -> SchedulerSpec:
        """The current spec."""
        return self._purge.spec

    def apply(self, spec: SchedulerSpec) -> None:
        """Use a new spec immediately."""
        for loop in (*self._queues, self._purge):
            loop.apply(spec)

    def status(self) -> LoopStatus:
        """Return the status of the first queue that is not ready, with all problems and the latest dispatch."""
        queues = [loop.status() for loop in self._queues]
        worst = next((status for status in queues if not status.ready), queues[0])
        problems = [status.degraded for status in queues if status.degraded is not None]
        if self._newer_rows:
            rows = "1 row waits" if self._newer_rows == 1 else f"{format_capped(self._newer_rows)} rows wait"
            problems.append(f"{rows} for the newer release that wrote {'it' if self._newer_rows == 1 else 'them'}")
        return replace(
            worst,
            last_dispatch=max((it.last_dispatch for it in queues if it.last_dispatch is not None), default=None),
            degraded="; ".join(problems) or None,
        )

    async def stats(self) -> dict[str, object]:
        """Return the numbers of open and overdue rows, and the next due time."""
        async with database.transaction(self._sessions) as session:
            rows = await stats.count_rows(session, self._source)
        self._newer_rows = rows.newer
        return {
            "pending": format_capped(rows.pending),
            "overdue": format_capped(rows.overdue),
            "nextDue": rows.next_due,
            "lastDispatch": self.status().last_dispatch,
        }

    async def run(self) -> None:
        """Dispatch until cancelled, then finish the current iterations."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for loop in (*self._queues, self._purge):
                    tasks.create_task(loop.run())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # the others were cancelled because of it
