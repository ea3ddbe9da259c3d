"""How an open row ends, or is tried again. Every statement says `settled_at IS NULL`: the first to settle a row
wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared import metrics
from shared.database import among
from shared.models import GameStatusSchedule, NotificationSchedule, Outcome
from shared.schedule import wake
from shared.schedule.retry import Backoff

TOGETHER = 0.25
"""Seconds, to whose multiples waits are rounded up."""

Table = type[NotificationSchedule] | type[GameStatusSchedule]


def source_of(table: Table) -> str:
    """Return the name by which schedulers and metrics know a table's rows."""
    return "StatusTransitions" if table is GameStatusSchedule else "Notifications"


async def settle(
    session: AsyncSession, table: Table, ids: Sequence[UUID], *, outcome: Outcome, detail: str | None = None
) -> list[UUID]:
    """Settle open rows with an outcome; return those that were still open."""
    result = await session.execute(
        update(table)
        .where(among(table.id, ids), table.settled_at.is_(None))
        .values(settled_at=func.clock_timestamp(), attempt_at=None, outcome=outcome, outcome_detail=detail)
        .returning(table.id)
        .execution_options(synchronize_session=False)
    )
    return list(result.scalars())


async def try_again(session: AsyncSession, table: Table, row_id: UUID, *, seconds: float) -> None:
    """Make an open row due again after a wait, and wake the loops for it.

    Rows that wait for the same thing, as a channel that Discord opens again, come due at the same instant. So the
    claim's order decides who goes first, and the oldest is not overtaken by whoever asked a moment earlier.
    """
    moment = func.clock_timestamp() + timedelta(seconds=seconds)
    if seconds > 0:
        moment = func.to_timestamp(func.ceil(func.extract("epoch", moment) / TOGETHER) * TOGETHER)
    await _try_at(session, table, row_id, moment)


async def record_failure(
    session: AsyncSession, table: Table, row_id: UUID, *, backoff: Backoff, error: str, retry_after: float | None = None
) -> None:
    """Record why an attempt failed and when the next one is: after `retry_after` seconds if stated, else by the
    backoff, whose jitter keeps rows apart that failed together."""
    failed = await session.execute(
        update(table)
        .where(table.id == row_id, table.settled_at.is_(None))
        .values(last_error=error[:500], failed_attempt=table.attempts)
        .returning(table.attempts)
        .execution_options(synchronize_session=False)
    )
    attempts = failed.scalar_one_or_none()
    if attempts is None:
        return
    metrics.FAILED_ATTEMPTS.labels(source_of(table)).inc()
    if retry_after is not None:
        await try_again(session, table, row_id, seconds=retry_after)
    else:
        delay = timedelta(seconds=backoff.delay(attempts))
        await _try_at(session, table, row_id, func.clock_timestamp() + delay)


async def _try_at(session: AsyncSession, table: Table, row_id: UUID, moment: ColumnElement[datetime]) -> None:
    await session.execute(
        update(table)
        .where(table.id == row_id, table.settled_at.is_(None))
        .values(attempt_at=moment)
        .execution_options(synchronize_session=False)
    )
    await wake.notify(session)


async def rearm_published(session: AsyncSession, table: Table) -> int:
    """Make every open row that was published due now: the broker lost its copies. Return how many."""
    result = await session.execute(
        update(table)
        .where(table.attempt_at.is_not(None), table.attempts > 0)
        .values(attempt_at=func.least(table.attempt_at, func.clock_timestamp()))
        .returning(table.id)
        .execution_options(synchronize_session=False)
    )
    await wake.notify(session)
    return len(result.all())
