"""Counts rows and parked messages for the status and for metrics.

Every statement reads a bounded part of an index, so none costs more as rows grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from controllers.loops.sources import NOTIFICATIONS, STATUS_TRANSITIONS, ScheduleTable
from shared import sql

ROW_CAP = 10_000
"""Rows are counted up to one more."""
PARKED_CAP = 1_000
"""Parked messages are counted up to one more."""

_SQL = sql.load("stats")


@dataclass(frozen=True)
class RowCounts:
    """One table's open rows. `oldest_overdue` and `oldest_retried` are seconds since the due time."""

    due: int
    overdue: int
    retried: int
    pending: int
    oldest_overdue: float | None
    oldest_retried: float | None
    next_due: datetime | None
    newer: int
    """Rows of kinds that only a newer release knows. The other counts but `pending` leave them out."""


@dataclass(frozen=True)
class RetryCounts:
    """The failed open rows of both tables. `oldest` is a due time."""

    failing: int
    oldest: datetime | None


async def count_rows(session: AsyncSession, source: ScheduleTable) -> RowCounts:
    """Count one table's open rows."""
    parameters = {"limit": ROW_CAP + 1, "kinds": source.kinds}
    counts = await session.execute(_SQL[f"count_{source.rows}"], parameters)
    return RowCounts(**counts.mappings().one())


async def count_retries(session: AsyncSession, *, min_attempts: int) -> RetryCounts:
    """Count failed open rows with `min_attempts` or more."""
    parameters = {
        "limit": ROW_CAP + 1,
        "min_attempts": min_attempts,
        "kinds": NOTIFICATIONS.kinds,
        "statuses": STATUS_TRANSITIONS.kinds,
    }
    counts = await session.execute(_SQL["count_retries"], parameters)
    return RetryCounts(**counts.mappings().one())


async def count_parked_messages(session: AsyncSession) -> Mapping[str, int]:
    """Count the undecided parked messages by dead-letter queue."""
    counts = await session.execute(_SQL["count_parked_messages"], {"limit": PARKED_CAP + 1})
    return {queue: count for queue, count in counts}
