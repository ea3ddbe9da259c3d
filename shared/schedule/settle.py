"""Settles and retries open rows.

Every statement says `settled_at IS NULL`, so the first to settle a row wins.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared import logs, metrics, sql
from shared.models import GameStatusSchedule, NotificationSchedule, Outcome
from shared.schedule.notify import notify_loops
from shared.schedule.retry import Backoff

ATTEMPT_ROUNDING_SECONDS = 0.25
"""Retry times are rounded up to a multiple of this."""
DETAIL_LIMIT = 500

Table = type[NotificationSchedule] | type[GameStatusSchedule]
_SQL = sql.load("schedule")


class Settlement(NamedTuple):
    """A row's outcome and detail."""

    outcome: Outcome
    detail: str | None = None


@dataclass(frozen=True)
class SettledRow:
    """A row that was open and is settled now."""

    table: Table
    id: UUID
    game_id: UUID
    event_type: str
    attempts: int
    outcome: Outcome
    detail: str | None


def source_of(table: Table) -> str:
    """Return the table's name in scheduler resources and metrics."""
    return "StatusTransitions" if table is GameStatusSchedule else "Notifications"


async def settle(session: AsyncSession, table: Table, settlements: Mapping[UUID, Settlement]) -> list[SettledRow]:
    """Settle rows, each with its own outcome, and return those that were still open."""
    if not settlements:
        return []
    parameters: dict[str, Any] = {
        "ids": list(settlements),
        "outcomes": [settlement.outcome for settlement in settlements.values()],
        "details": [settlement.detail for settlement in settlements.values()],
    }
    if table is GameStatusSchedule:
        return _settled(table, await session.execute(_SQL["settle_transitions"], parameters))
    return _settled(table, await session.execute(_SQL["settle_notifications"], {**parameters, "attempted": []}))


async def settle_attempted(session: AsyncSession, notifications: Collection[UUID]) -> list[SettledRow]:
    """Settle, log and return the notifications, except announcements, whose deliveries are all final."""
    if not notifications:
        return []
    parameters: dict[str, list[Any]] = {"ids": [], "outcomes": [], "details": [], "attempted": list(notifications)}
    rows = _settled(NotificationSchedule, await session.execute(_SQL["settle_notifications"], parameters))
    for row in rows:
        log_settled(row)
    return rows


async def settle_and_log(
    session: AsyncSession,
    table: Table,
    row_ids: Iterable[UUID],
    *,
    outcome: Outcome,
    detail: str | None = None,
    level: int = logging.INFO,
    was_attempted: bool = True,
) -> list[SettledRow]:
    """Settle rows with one outcome, and log and return those that were still open."""
    rows = await settle(session, table, dict.fromkeys(row_ids, Settlement(outcome, detail)))
    for row in rows:
        log_settled(row, level=level, was_attempted=was_attempted)
    return rows


def log_settled(row: SettledRow, *, level: int = logging.INFO, was_attempted: bool = True, **more: object) -> None:
    """Log and count a row's outcome. `was_attempted` is False if nothing was tried this time."""
    source = source_of(row.table)
    if was_attempted:
        metrics.count_settled(source, row.outcome, attempts=row.attempts)
    else:
        metrics.SETTLED.labels(source, row.outcome).inc()
    logs.get().log(
        level,
        "Settled",
        action="settled",
        event_type=row.event_type,
        notification_id=str(row.id),
        game_id=str(row.game_id),
        attempt=row.attempts,
        outcome=row.outcome,
        detail=row.detail,
        **more,
    )


def _settled(table: Table, found: Iterable[Any]) -> list[SettledRow]:
    return [
        SettledRow(table, row.id, row.game_id, row.event_type, row.attempts, Outcome(row.outcome), row.outcome_detail)
        for row in found
    ]


async def find_kinds(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the kinds of the rows that exist, with `transition` for status transitions."""
    return {id_: kind for id_, kind in await session.execute(_SQL["find_kinds"], {"ids": list(ids)})}


async def try_again(session: AsyncSession, table: Table, row_id: UUID, *, seconds: float) -> None:
    """Make an open row due again after a wait, and wake the loops.

    Rows that wait for the same rate limit come due at the same instant, so that the claim's order decides.
    """
    moment = func.clock_timestamp() + timedelta(seconds=seconds)
    if seconds > 0:
        rounding = ATTEMPT_ROUNDING_SECONDS
        moment = func.to_timestamp(func.ceil(func.extract("epoch", moment) / rounding) * rounding)
    await _try_at(session, table, row_id, moment)


async def wait_until_due(session: AsyncSession, table: Table, ids: Collection[UUID]) -> None:
    """Make those of the open rows due at their time that are not due yet, and wake the loops.

    After a fail-over to a server whose clock is behind, a row was published before its time.
    """
    moved = await session.execute(
        update(table)
        .where(table.id.in_(ids), table.settled_at.is_(None), func.clock_timestamp() < table.due_at)
        .where(table.attempt_at != table.due_at)
        .values(attempt_at=table.due_at)
        .returning(table.id)
        .execution_options(synchronize_session=False)
    )
    if moved.all():
        await notify_loops(session)


async def record_failure(
    session: AsyncSession, table: Table, row_id: UUID, *, backoff: Backoff, error: str, retry_after: float | None = None
) -> None:
    """Record a failed attempt. The next one is after `retry_after` seconds, else after the backoff."""
    failed = await session.execute(
        update(table)
        .where(table.id == row_id, table.settled_at.is_(None))
        .values(last_error=error[:DETAIL_LIMIT], failed_attempt=table.attempts)
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
    await notify_loops(session)
