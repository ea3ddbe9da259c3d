"""Offers of seats that became free: a player who does not take theirs in time loses it to the next in line."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.audit import record_game_change
from shared.models import AuditAction, Game, GameStatus, NotificationKind, NotificationSchedule, Outcome, Participant
from shared.schedule.notices import refresh_announcement
from shared.schedule.offers import LAPSED, add_offer_end, is_promotion_undelivered, offer_until
from shared.schedule.populate import lock_game
from shared.schedule.settle import settle_and_log
from shared.signup import fill_seats, free_seat


async def end_offer(session: AsyncSession, row_id: UUID) -> bool:
    """Give on the seat that a row offered until now, and mark the row. Return whether it was given on now.

    Nobody loses a seat before the notice of it is sent, or after the game has begun.
    """
    table = NotificationSchedule
    game_id = await session.scalar(select(table.game_id).where(table.id == row_id))
    if game_id is None:
        return False
    game, now = await lock_game(session, game_id), await database.now(session)
    row = await session.scalar(
        select(table)
        .where(table.id == row_id, table.kind == NotificationKind.OFFER_END, table.settled_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None or row.user_id is None or row.reason is not None or row.due_at > now:
        return False
    if game.status is not GameStatus.SCHEDULED or game.scheduled_at <= now:
        await _close(session, row, detail="the game has begun or is over, so the player keeps the seat")
        return False
    if await is_promotion_undelivered(session, game, row.user_id):
        await _extend(session, game, row, user_id=row.user_id)
        return False
    row.reason = LAPSED
    await session.flush()
    await free_seat(session, game, row.user_id)
    await record_game_change(session, game, AuditAction.OFFER_ENDED, actor_id=None, user_id=row.user_id)
    await fill_seats(session, game)
    await refresh_announcement(session, game)
    return True


async def _extend(session: AsyncSession, game: Game, row: NotificationSchedule, *, user_id: int) -> None:
    """Offer the seat again, because its player does not know of it yet."""
    until = offer_until(game, now=await database.now(session)) or game.scheduled_at
    await _close(session, row, detail="the notice of the seat is not sent yet")
    of_user = (Participant.game_id == game.id, Participant.user_id == user_id)
    await session.execute(update(Participant).where(*of_user).values(offered_until=until))
    await add_offer_end(session, game, user_id, due_at=until)


async def _close(session: AsyncSession, row: NotificationSchedule, *, detail: str) -> None:
    await settle_and_log(session, type(row), [row.id], outcome=Outcome.SUPERSEDED, detail=detail)
