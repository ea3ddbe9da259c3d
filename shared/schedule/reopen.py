"""Writes rows that follow from a game, and reopens those that were superseded.

If a game is moved and moved back, its row was superseded in between. A notification is delivered only once, so the row
is reopened together with its ledger. Only reopening writes to a settled row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from shared.models import NotificationKind, NotificationSchedule, Outcome

_REOPENED = (
    *("game_version", "game_scheduled_at", "user_id", "reason", "due_at", "attempt_at"),
    *("settled_at", "outcome", "outcome_detail"),
)


async def write_or_reopen(
    session: AsyncSession,
    kind: NotificationKind,
    rows: Sequence[Mapping[str, Any]],
    *,
    identity: Sequence[InstrumentedAttribute[Any]],
) -> None:
    """Write rows of one kind. Of those that exist, the superseded are reopened, and the others stay as they are.

    `identity` are the columns of the kind's unique index.
    """
    table = NotificationSchedule
    if not rows:
        return
    statement = insert(table).values([dict(row) for row in rows])
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=list(identity),
            index_where=text(f"kind = '{kind.value}'"),  # no parameter: it must match the index
            set_={name: statement.excluded[name] for name in _REOPENED},
            where=table.outcome == Outcome.SUPERSEDED,
        )
    )
