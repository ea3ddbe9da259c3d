"""The row that ends an offer of a seat: it is due when the time to take it is over.

It gives the seat on first, in one transaction that marks it, and then tells the user who lost the seat. A row that is
not marked yet was never sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import Game, NotificationKind, NotificationSchedule, Outcome, new_id
from shared.schedule.notify import notify_loops
from shared.schedule.settle import settle_and_log

LAPSED = "lapsed"
"""The `reason` of a row that has given the seat on."""


def offer_until(game: Game, *, now: datetime) -> datetime | None:
    """Return until when a seat that becomes free now is offered, but not after the start. None if it need not be
    taken."""
    if game.offer_minutes is None:
        return None
    return min(now + timedelta(minutes=game.offer_minutes), game.scheduled_at)


async def add_offer_end(session: AsyncSession, game: Game, user_id: int, *, due_at: datetime) -> None:
    """Write the row that ends the offer of a locked game's seat to a user."""
    session.add(
        NotificationSchedule(
            id=new_id(),
            game_id=game.id,
            game_version=game.version,
            kind=NotificationKind.OFFER_END,
            game_scheduled_at=game.scheduled_at,
            user_id=user_id,
            due_at=due_at,
            attempt_at=due_at,
        )
    )
    await session.flush()
    await notify_loops(session)


async def withdraw_offer_end(session: AsyncSession, game: Game, user_id: int, *, detail: str) -> None:
    """Supersede the row that would end the offer of a locked game's seat. One that has ended it stays."""
    table = NotificationSchedule
    statement = select(table.id).where(
        table.game_id == game.id,
        table.kind == NotificationKind.OFFER_END,
        table.user_id == user_id,
        table.reason.is_(None),
        table.settled_at.is_(None),
    )
    row_ids = list(await session.scalars(statement))
    await settle_and_log(session, table, row_ids, outcome=Outcome.SUPERSEDED, detail=detail, was_attempted=False)


async def is_promotion_undelivered(session: AsyncSession, game: Game, user_id: int) -> bool:
    """Return whether the notice of a seat is still to be sent to its user."""
    table = NotificationSchedule
    statement = select(table.id).where(
        table.game_id == game.id,
        table.kind == NotificationKind.PROMOTION,
        table.user_id == user_id,
        table.settled_at.is_(None),
    )
    return (await session.scalars(statement)).first() is not None
