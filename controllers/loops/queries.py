"""The claim and what follows it: every statement of a scheduler loop.

One transaction spans claim, publish and mark. Its row locks are the whole coordination of replicas: SKIP LOCKED
hands each row to one of them, and a process that dies gives its rows back with its connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Double,
    Interval,
    Select,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from controllers.loops.sources import ClaimedRow, ScheduleTable
from shared.database import given, in_list
from shared.schedule.notices import BEGUN_AFTER

WINDOW = 2_000
"""How many due rows are looked at when choosing the most urgent ones, however many are due."""
BEGUN_INTERVAL = timedelta(minutes=5)
"""A reminder whose game has begun only waits for the bot to record it `expired`: published this often at most."""


@cache
def claim_statement(source: ScheduleTable, *, batch_size: int) -> Select[Any]:
    """Return the claim: lock at most a batch of due rows that nobody else holds, the most urgent first.

    `due` reads the partial index on `attempt_at` and stops after a window, however many rows are pending. It is an
    array and no join, for which the planner would read the whole table: it takes a third of all rows for due. The clock
    stands in a sub-select because a volatile function cannot be an index condition.
    """
    table = source.table
    clock = select(func.clock_timestamp()).scalar_subquery()
    due = select(table.id).where(table.attempt_at <= clock).order_by(table.attempt_at).limit(max(WINDOW, batch_size))
    return (
        _due_rows(source)
        .where(
            table.id == any_(func.array(due.scalar_subquery(), type_=ARRAY(Uuid()))),
            table.attempt_at <= clock,  # again: another replica may have marked it since `due` was read
        )
        .order_by(source.urgency, table.due_at)
        .limit(batch_size)
        .with_for_update(of=table, key_share=True, skip_locked=True)
    )


async def claim(session: AsyncSession, source: ScheduleTable, *, batch_size: int) -> list[ClaimedRow]:
    """Claim due rows until the transaction ends."""
    return await _claimed(session, source, claim_statement(source, batch_size=batch_size))


async def claim_copies(session: AsyncSession, source: ScheduleTable, copies: Mapping[UUID, int]) -> list[ClaimedRow]:
    """Claim the rows of dead copies, given by row id and attempt, as far as another copy should be made of them now.

    A row wins that is due, or whose latest attempt this copy was without a failure having been recorded: a dead
    copy is no longer with the bot, so nobody else will answer for that attempt. Rows that are settled, purged, set
    for another attempt or being published this moment by a scheduler are left out.
    """
    table = source.table
    copy = given(copies.items(), id=Uuid(), attempt=BigInteger())
    unanswered = and_(table.attempts == copy.c.attempt, table.failed_attempt < table.attempts)
    statement = (
        _due_rows(source)
        .join(copy, copy.c.id == table.id)
        .where(table.settled_at.is_(None), or_(table.attempt_at <= func.clock_timestamp(), unanswered))
        .with_for_update(of=table, key_share=True, skip_locked=True)
    )
    return await _claimed(session, source, statement)


def _due_rows(source: ScheduleTable) -> Select[Any]:
    table = source.table
    claimed_at = func.clock_timestamp().label("claimed_at")
    return select(table.id, table.game_id, table.due_at, table.attempts, *source.details, claimed_at)


async def _claimed(session: AsyncSession, source: ScheduleTable, statement: Select[Any]) -> list[ClaimedRow]:
    names = [column.key for column in source.details]
    return [
        ClaimedRow(id_, game_id, due_at, attempts, claimed_at, dict(zip(names, details, strict=True)))
        for id_, game_id, due_at, attempts, *details, claimed_at in await session.execute(statement)
    ]


async def mark_published(
    session: AsyncSession, source: ScheduleTable, ids: Sequence[UUID], *, settle_timeout: timedelta
) -> datetime | None:
    """Record the attempt of confirmed rows; each comes back if no outcome is recorded within the settle time-out.

    Return when, by the database's clock; None when all of them were settled already.
    """
    marked = await session.execute(
        _mark_published(source),
        {"ids": ids, "wait": settle_timeout, "wait_when_begun": max(settle_timeout, BEGUN_INTERVAL)},
    )
    return max(marked.scalars(), default=None)


@cache
def _mark_published(source: ScheduleTable) -> Update:
    table = source.table
    wait: ColumnElement[Any] = bindparam("wait", type_=Interval())
    if source.starts_at is not None:
        begun = source.starts_at + BEGUN_AFTER <= func.clock_timestamp()
        wait = case((begun, bindparam("wait_when_begun", type_=Interval())), else_=wait)
    return (
        update(table)
        .where(in_list(table.id, "ids"), table.settled_at.is_(None))
        .values(attempts=table.attempts + 1, attempt_at=func.clock_timestamp() + wait)
        .returning(func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


async def mark_failed(
    session: AsyncSession, source: ScheduleTable, delays: Mapping[UUID, float], *, reason: str
) -> None:
    """Record the attempt of rows that could not be published, each with its own delay in seconds."""
    failed = given(delays.items(), id=Uuid(), seconds=Double())
    table = source.table
    await session.execute(
        update(table)
        .where(table.id == failed.c.id, table.settled_at.is_(None))
        .values(
            attempts=table.attempts + 1,
            failed_attempt=table.attempts + 1,
            attempt_at=func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, failed.c.seconds),
            last_error=reason,
        )
        .execution_options(synchronize_session=False)
    )


async def seconds_until_next(session: AsyncSession, source: ScheduleTable) -> float | None:
    """Return the seconds until the next row may be taken, 0 or less when one is due now, None without open rows."""
    next_attempt = func.min(source.table.attempt_at) - func.clock_timestamp()
    statement = select(func.extract("epoch", next_attempt)).where(source.table.attempt_at.is_not(None))
    seconds = (await session.execute(statement)).scalar_one()
    return None if seconds is None else float(seconds)
