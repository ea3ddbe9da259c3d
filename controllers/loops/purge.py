"""Deletes settled rows after their retention period, in small batches.

The purge of notifications also deletes old audit entries, whose retention period is fixed.
"""

from __future__ import annotations

from controllers.loops import queries
from controllers.loops.base import LoopStatus, Pause, PollingLoop
from controllers.loops.sources import NOTIFICATIONS, ScheduleTable
from controllers.resources.models import SchedulerSpec
from shared import database, logs, metrics
from shared.audit import purge_entries
from shared.database import Sessions
from shared.schedule.retry import Backoff

PURGE_INTERVAL = 60.0
"""Seconds between purges."""
NEXT_BATCH_AFTER = 1.0
"""Seconds between batches, which leaves the database to the loops."""


class PurgeLoop(PollingLoop[SchedulerSpec]):
    """Purges one table."""

    ready = LoopStatus(True, "Purging", "Settled rows are deleted after their retention period")
    suspended = LoopStatus(False, "Suspended", "No rows are deleted while spec.suspend is true")

    def __init__(self, source: ScheduleTable, spec: SchedulerSpec, *, sessions: Sessions, backoff: Backoff) -> None:
        log = logs.get(component="purge", source=source.name)
        super().__init__(spec, name=f"{source.name} purge", backoff=backoff, log=log)
        self._source = source
        self._sessions = sessions

    @property
    def interval(self) -> float:
        """Return the seconds between purges."""
        return PURGE_INTERVAL

    async def stats(self) -> dict[str, object]:
        """Return nothing: purges are counted as a metric."""
        return {}

    async def _iterate(self) -> Pause:
        async with database.transaction(self._sessions) as session:
            count = await queries.purge(session, self._source, retention_days=self.spec.retention_days)
            entries = 0
            if self._source is NOTIFICATIONS:
                entries = await purge_entries(session, batch_size=queries.PURGE_BATCH)
        if entries:
            self._log.info("Purged old audit entries", action="entries_purged", count=entries)
        if not count:
            return Pause(NEXT_BATCH_AFTER if entries else PURGE_INTERVAL)
        metrics.PURGED.labels(self._source.name).inc(count)
        self._log.info("Purged settled rows", action="purged", count=count)
        return Pause(NEXT_BATCH_AFTER)
