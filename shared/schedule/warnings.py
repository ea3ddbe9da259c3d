"""Warnings to hosts that something about their game cannot be delivered.

A host gets each reason of a game once, by direct message, or with the answer to the next command if these are closed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Text, Uuid, column, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import sql
from shared.models import Game, new_id
from shared.schedule.notify import notify_loops
from shared.schedule.settle import DETAIL_LIMIT

_SQL = sql.load("schedule")
_OF_WARNING = (column("delivery_id", Uuid), column("reason", Text))
_UNSEEN = select(Game, *_OF_WARNING).from_statement(
    _SQL["unseen_warnings"].columns(*Game.__table__.columns, *_OF_WARNING)
)


@dataclass(frozen=True)
class UnseenWarning:
    """A warning that could not be sent to its host."""

    delivery_id: UUID
    game: Game
    reason: str


async def warn_hosts(session: AsyncSession, warnings: Sequence[tuple[UUID, str]]) -> None:
    """Write a warning to the host about each notification, with a reason.

    It locks the notifications' games, so it goes before the locks of rows.
    """
    if not warnings:
        return
    parameters = {
        "ids": [new_id() for _ in warnings],
        "notification_ids": [notification_id for notification_id, _ in warnings],
        "reasons": [reason[:DETAIL_LIMIT] for _, reason in warnings],
    }
    await session.execute(_SQL["lock_games_to_warn"], {"notification_ids": parameters["notification_ids"]})
    await session.execute(_SQL["warn_hosts"], parameters)
    await notify_loops(session)


async def read_unseen_warnings(session: AsyncSession, host_id: int) -> list[UnseenWarning]:
    """Return a few warnings that the host does not know of, oldest first."""
    found = await session.execute(_UNSEEN, {"host_id": host_id})
    return [UnseenWarning(delivery_id, game, reason) for game, delivery_id, reason in found]


async def mark_warnings_seen(session: AsyncSession, deliveries: Collection[UUID], *, message_id: int) -> None:
    """Record the message that showed warnings to their host."""
    await session.execute(_SQL["mark_warnings_seen"], {"ids": list(deliveries), "message_id": message_id})
