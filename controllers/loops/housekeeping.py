"""What the loops ask and do beside dispatching: figures for people, the purge of old rows, and who works alone.

Every statement reads a bounded part of an index, so none costs more as rows grow.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ScalarSelect, Select, Subquery, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controllers.loops.queries import BEGUN_INTERVAL
from controllers.loops.sources import SOURCES, ScheduleTable
from shared import database
from shared.database import Sessions
from shared.models import ParkedMessage

SOON_CAP = 10_001
"""So many of the rows that may be taken within five minutes are looked at."""
PARKED_CAP = 1_000
"""Parked messages and stubborn rows are counted so far: beyond it, a person has enough to do."""
_ALONE = 0x446C71  # "Dlq": any number, the same for all replicas


async def purge(session: AsyncSession, source: ScheduleTable, *, retention_days: int, limit: int = 500) -> int:
    """Delete a small batch of rows settled longer ago than the retention time; return how many."""
    table = source.table
    old = (
        select(table.id)
        .where(table.settled_at < func.clock_timestamp() - timedelta(days=retention_days))
        .order_by(table.settled_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    gone = await session.execute(
        delete(table).where(table.id.in_(old)).returning(table.id).execution_options(synchronize_session=False)
    )
    return len(gone.all())


async def figures(session: AsyncSession, source: ScheduleTable, *, cap: int = 10_000) -> Mapping[str, Any]:
    """Return the counts `pending`, `due`, `overdue` and `retried`, each up to `cap` + 1; the seconds `oldest_overdue`
    and `oldest_retried` have been due, None without any; and `next_due`.

    All are read from the index on `attempt_at`. Every overdue row is taken again within five minutes, so those are
    among the rows of the next five, of which the first `cap` + 1 are looked at.
    """
    table, clock, soon = source.table, func.statement_timestamp(), _soon(source, limit=cap + 1)
    overdue = soon.c.due_at < clock
    retried = and_(overdue, or_(soon.c.failed_attempt > 0, soon.c.attempts > 1))
    of_soon = select(
        func.count().filter(soon.c.attempt_at <= clock).label("due"),
        func.count().filter(overdue).label("overdue"),
        func.count().filter(retried).label("retried"),
        func.extract("epoch", clock - func.min(soon.c.due_at).filter(overdue)).label("oldest_overdue"),
        func.extract("epoch", clock - func.min(soon.c.due_at).filter(retried)).label("oldest_retried"),
    ).subquery()
    statement = select(
        of_soon,
        _count(select(table.id).where(table.attempt_at.is_not(None)).limit(cap + 1)).label("pending"),
        select(func.min(table.attempt_at)).where(table.attempt_at > clock).scalar_subquery().label("next_due"),
    )
    return dict((await session.execute(statement)).mappings().one())


def _soon(source: ScheduleTable, *, limit: int) -> Subquery:
    """Return the open rows that may be taken within five minutes, the next first."""
    table = source.table
    return (
        select(table.due_at, table.attempt_at, table.attempts, table.failed_attempt)
        .where(table.attempt_at <= func.statement_timestamp() + BEGUN_INTERVAL)
        .order_by(table.attempt_at)
        .limit(limit)
        .subquery()
    )


def _count(rows: Select[Any]) -> ScalarSelect[int]:
    return select(func.count()).select_from(rows.subquery()).scalar_subquery()


@dataclass(frozen=True)
class Retries:
    """How it stands with rows that did not succeed at once."""

    stubborn: int
    oldest: datetime | None
    parked: int


async def retries(session: AsyncSession, *, after: int) -> Retries:
    """Return how many open rows took `after` attempts or more, how long the oldest row that failed has been due, and
    how many messages are parked. As with `figures`, all of those rows are taken again within five minutes.
    """
    stubborn, oldest = [], []
    for source in SOURCES.values():
        soon = _soon(source, limit=SOON_CAP)
        failed = soon.c.failed_attempt > 0
        stubborn.append(_count(select(soon.c.due_at).where(failed, soon.c.attempts >= after).limit(PARKED_CAP)))
        oldest.append(select(func.min(soon.c.due_at)).where(failed).scalar_subquery())
    parked = _count(select(ParkedMessage.id).where(ParkedMessage.resolved_at.is_(None)).limit(PARKED_CAP + 1))
    statement = select(sum(stubborn[1:], stubborn[0]), func.least(*oldest), parked)
    row = (await session.execute(statement)).one()
    return Retries(stubborn=row[0], oldest=row[1], parked=row[2])


async def parked_by_queue(session: AsyncSession) -> Mapping[str, int]:
    """Return how many messages of each dead-letter queue are parked, among the first of all."""
    some = select(ParkedMessage.queue).where(ParkedMessage.resolved_at.is_(None)).limit(PARKED_CAP + 1).subquery()
    found = await session.execute(select(some.c.queue, func.count()).group_by(some.c.queue))
    return {queue: count for queue, count in found}


@asynccontextmanager
async def alone(sessions: Sessions) -> AsyncIterator[bool]:
    """Say whether this is the only replica in the block. For tidiness: two at once would only work for nothing."""
    with database.translated():
        async with sessions() as session:
            connection = await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
            locked = (await connection.execute(select(func.pg_try_advisory_lock(_ALONE)))).scalar_one()
            try:
                yield locked
            finally:
                if locked:
                    await connection.execute(select(func.pg_advisory_unlock(_ALONE)))
