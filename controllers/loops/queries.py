"""The statements of both loops. They are in `dispatch.sql`, one per schedule table.

One transaction spans claim, publish and mark. Only its row locks coordinate the replicas.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Result, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controllers.loops.sources import ClaimedRow, ScheduleTable
from shared import database, sql
from shared.database import Sessions
from shared.messaging.topology import Queue
from shared.schedule.notices import BEGUN_AFTER
from shared.schedule.notify import notify_loops

WINDOW = 2_000
"""The most urgent of this many due rows of each kind are chosen."""
BEGUN_INTERVAL = timedelta(minutes=5)
"""Limits publishes of a reminder whose game has begun. It only waits for the bot to record `expired`."""
REQUEUE_BATCH = 1_000
"""Rows per transaction that requeues."""
PURGE_BATCH = 500
"""Rows per purge."""
_COMMON_COLUMNS = ("id", "game_id", "due_at", "attempts", "claimed_at")
_DEAD_LETTER_LOCK = 0x446C71  # "Dlq": arbitrary, and the same in all replicas

_SQL = sql.load("dispatch")


async def claim(
    session: AsyncSession, source: ScheduleTable, *, batch_size: int, queue: Queue | None = None
) -> list[ClaimedRow]:
    """Lock due rows until the transaction ends, the most urgent first: those of one queue, or all."""
    kinds = source.kinds if queue is None else list(queue.kinds)
    window = max(WINDOW, batch_size)
    return _claimed_rows(await _execute(session, "claim", source, kinds=kinds, window=window, batch_size=batch_size))


async def claim_dead(session: AsyncSession, source: ScheduleTable, attempts: Mapping[UUID, int]) -> list[ClaimedRow]:
    """Lock the rows of dead letters that need another message, given row ids and attempts."""
    ids, numbers = list(attempts), list(attempts.values())
    return _claimed_rows(await _execute(session, "claim_dead", source, kinds=source.kinds, ids=ids, attempts=numbers))


async def mark_published(
    session: AsyncSession, source: ScheduleTable, ids: Sequence[UUID], *, settle_timeout: timedelta
) -> datetime | None:
    """Count the attempt of confirmed rows. Without an outcome they become due again after the settle time-out.

    Return the database's time, or None if all were settled already.
    """
    marked = await _execute(
        session,
        "mark_published",
        source,
        ids=ids,
        settle_timeout=settle_timeout,
        begun_after=BEGUN_AFTER,
        begun_interval=BEGUN_INTERVAL,
    )
    return max(marked.scalars(), default=None)


async def mark_failed(
    session: AsyncSession, source: ScheduleTable, delays: Mapping[UUID, float], *, error: str
) -> None:
    """Count the attempt of unpublished rows, and retry each after its delay in seconds."""
    ids, seconds = list(delays), list(delays.values())
    await _execute(session, "mark_failed", source, ids=ids, delays=seconds, error=error)


async def seconds_until_next(session: AsyncSession, source: ScheduleTable, queue: Queue) -> float | None:
    """Return the seconds until a queue's next row is due (0 or less now), or None without open rows."""
    seconds: float | None = (await _execute(session, "next_due", source, kinds=list(queue.kinds))).scalar_one()
    return seconds


async def requeue_published(
    sessions: Sessions, source: ScheduleTable, queue: Queue | None = None, *, settle_timeout: timedelta
) -> int:
    """Make published open rows due now, because the broker lost their messages: those of one queue, or all.

    Each batch is a transaction.
    """
    parameters = {
        "kinds": source.kinds if queue is None else list(queue.kinds),
        "longest_wait": max(settle_timeout, BEGUN_INTERVAL),
        "batch_size": REQUEUE_BATCH,
    }
    count = 0
    while True:
        async with database.transaction(sessions) as session:
            requeued = len((await _execute(session, "requeue", source, **parameters)).all())
            await notify_loops(session)
        count += requeued
        if requeued < REQUEUE_BATCH:
            return count


async def purge(session: AsyncSession, source: ScheduleTable, *, retention_days: int) -> int:
    """Delete a small batch of rows settled before the retention period."""
    retention = timedelta(days=retention_days)
    return len((await _execute(session, "purge", source, retention=retention, batch_size=PURGE_BATCH)).all())


@asynccontextmanager
async def try_dead_letter_lock(sessions: Sessions) -> AsyncIterator[bool]:
    """Try to take the dead-letter loop's lock for a block, and return whether it was free.

    Two replicas would only do the same work twice.
    """
    with database.translated():
        async with sessions() as session:
            connection = await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
            locked = (await connection.execute(select(func.pg_try_advisory_lock(_DEAD_LETTER_LOCK)))).scalar_one()
            try:
                yield locked
            finally:
                if locked:
                    await connection.execute(select(func.pg_advisory_unlock(_DEAD_LETTER_LOCK)))


async def _execute(session: AsyncSession, statement: str, source: ScheduleTable, **parameters: Any) -> Result[Any]:
    return await session.execute(_SQL[f"{statement}_{source.rows}"], parameters)


def _claimed_rows(found: Result[Any]) -> list[ClaimedRow]:
    names = list(found.keys())
    rows = [dict(zip(names, row, strict=True)) for row in found]
    return [ClaimedRow(**{name: row.pop(name) for name in _COMMON_COLUMNS}, details=row) for row in rows]
