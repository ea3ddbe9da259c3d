"""Asks players to confirm a game's new time, and records what they confirm, in the caller's transaction. Nobody loses a
seat by it."""

from __future__ import annotations

import enum
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.audit import record_game_change
from shared.models import AuditAction, Game, GameStatus, NotificationKind, NotificationSchedule, Participant
from shared.schedule.notices import add_notice, refresh_announcement
from shared.schedule.populate import lock_game
from shared.signup import confirm_seat


class ConfirmResult(enum.Enum):
    """Result of `confirm_attendance`."""

    SEAT_TAKEN = "seat taken"
    """The player has taken the seat that they were offered."""
    CONFIRMED = "confirmed"
    """The game's new time suits the player."""
    ALREADY_CONFIRMED = "already confirmed"
    NO_SEAT = "no seat"
    CLOSED = "closed"


async def ask_again(session: AsyncSession, game: Game) -> None:
    """Let all players of a locked game but its host confirm its time."""
    others = (Participant.game_id == game.id, Participant.user_id != game.host_id)
    await session.execute(update(Participant).where(*others).values(is_confirmed=False))


async def can_ask(session: AsyncSession, game: Game) -> bool:
    """Return whether a game was moved to its time, and has players who were not asked to confirm it or have done so."""
    if game.status is not GameStatus.SCHEDULED:
        return False
    table = NotificationSchedule
    of_version = (table.game_id == game.id, table.kind == NotificationKind.CHANGE, table.game_version == game.version)
    was_moved = exists().where(*of_version)
    others = (Participant.game_id == game.id, Participant.user_id != game.host_id, Participant.is_confirmed)
    return bool(await session.scalar(select(was_moved & exists().where(*others))))


async def ask_to_confirm(session: AsyncSession, game_id: UUID, *, actor_id: int) -> bool:
    """Let the players of a game confirm the time to which it was moved, and notify them. Return False if nobody is to.

    A notice of the new time that is not sent yet is superseded by this one.

    Raises:
        TransientError: an earlier notice may have been sent, and its result is not known yet.
    """
    game = await lock_game(session, game_id)
    if not await can_ask(session, game):
        return False
    await ask_again(session, game)
    await record_game_change(session, game, AuditAction.CONFIRMATION_ASKED, actor_id=actor_id)
    await refresh_announcement(session, game)
    await add_notice(session, [game], NotificationKind.CHANGE)
    return True


async def confirm_attendance(session: AsyncSession, game_id: UUID, *, user_id: int) -> ConfirmResult:
    """Record that a player takes the seat that they are offered, or that the game's new time suits them.

    An offered seat is theirs until it is given on, also if the time is over.
    """
    game = await lock_game(session, game_id)
    if game.status is not GameStatus.SCHEDULED:
        return ConfirmResult.CLOSED
    if await confirm_seat(session, game, user_id):
        return ConfirmResult.SEAT_TAKEN
    of_player = (Participant.game_id == game_id, Participant.user_id == user_id)
    is_confirmed = await session.scalar(select(Participant.is_confirmed).where(*of_player))
    if is_confirmed is None:
        return ConfirmResult.NO_SEAT
    if is_confirmed:
        return ConfirmResult.ALREADY_CONFIRMED
    await session.execute(update(Participant).where(*of_player).values(is_confirmed=True))
    await record_game_change(session, game, AuditAction.CONFIRMED, actor_id=user_id)
    await refresh_announcement(session, game)
    return ConfirmResult.CONFIRMED
