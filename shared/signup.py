"""Users' answers to a game: who has a seat, who waits for one, who may come and who cannot.

A seat that becomes free is given to the first on the waitlist in the transaction that frees it. So nobody is skipped
and no seat has two players, whatever crashes.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.audit import record_game_change
from shared.models import Answer, AuditAction, Game, GameStatus, Participant, Response
from shared.schedule.notices import add_promotion, refresh_announcement, update_drop_outs, withdraw_promotion
from shared.schedule.personal import populate_personal_reminders, share_settings
from shared.schedule.populate import lock_game
from shared.signup_rules import is_past_closing, lacks_role


class JoinResult(enum.Enum):
    """Result of `join_game`."""

    JOINED = "joined"
    ALREADY_JOINED = "already joined"
    WAITLISTED = "waitlisted"
    ALREADY_WAITLISTED = "already waitlisted"
    CLOSED = "closed"
    SIGN_UPS_CLOSED = "sign-ups closed"
    """The game has not started, but nobody gets a seat any more without the host."""
    ROLE_MISSING = "role missing"


class LeaveResult(enum.Enum):
    """Result of `leave_game` and `remove_player`."""

    LEFT = "left"
    LEFT_WAITLIST = "left the waitlist"
    ANSWERED = "answered"
    UNCHANGED = "unchanged"
    OVER = "over"


async def join_game(
    session: AsyncSession, game_id: UUID, *, user_id: int, role_ids: Collection[int] = (), by: int | None = None
) -> JoinResult:
    """Give a user a seat, or a place on the waitlist of a full game. The game's lock decides who gets the last seat.

    `role_ids` are the roles that the user has on the game's server. `by` is who adds the user, if they do not join
    themselves. They may do that after sign-ups are closed.
    """
    game = await lock_game(session, game_id)
    if game.status is not GameStatus.SCHEDULED:
        return JoinResult.CLOSED
    players = await list_players(session, game_id)
    if user_id in players:
        return JoinResult.ALREADY_JOINED
    if by is None and is_past_closing(game, now=await database.now(session)):
        return JoinResult.SIGN_UPS_CLOSED
    if lacks_role(game, role_ids):
        return JoinResult.ROLE_MISSING
    if _is_full(game, players):
        if not await _respond(session, game, user_id, Answer.WAITLISTED):
            return JoinResult.ALREADY_WAITLISTED
        await _record_join(session, game, AuditAction.WAITLISTED, user_id=user_id, by=by)
        await refresh_announcement(session, game)
        return JoinResult.WAITLISTED
    await _seat(session, game, user_id)
    await _record_join(session, game, AuditAction.JOINED, user_id=user_id, by=by)
    await refresh_announcement(session, game)
    return JoinResult.JOINED


async def leave_game(
    session: AsyncSession, game_id: UUID, *, user_id: int, answer: Answer = Answer.DECLINED
) -> LeaveResult:
    """Record that a user may come or cannot, which frees their seat. Before the start, the host is notified of it."""
    game = await lock_game(session, game_id)
    if game.status.is_final:
        return LeaveResult.OVER
    had_seat = await _unseat(session, game, user_id)
    was_waiting = await _is_waiting(session, game, user_id)
    if not await _respond(session, game, user_id, answer) and not had_seat:
        return LeaveResult.UNCHANGED
    gave_up = AuditAction.LEFT if had_seat else AuditAction.DECLINED
    action = AuditAction.MAYBE if answer is Answer.MAYBE else gave_up
    await record_game_change(session, game, action, actor_id=user_id)
    if had_seat and game.status is GameStatus.SCHEDULED and user_id != game.host_id:
        await update_drop_outs(session, game, left=user_id)
    await fill_seats(session, game)
    await refresh_announcement(session, game)
    if had_seat:
        return LeaveResult.LEFT
    return LeaveResult.LEFT_WAITLIST if was_waiting else LeaveResult.ANSWERED


async def remove_player(session: AsyncSession, game_id: UUID, *, user_id: int, by: int) -> LeaveResult:
    """Remove a user's seat or answer. The host is notified of it if another user does that."""
    game = await lock_game(session, game_id)
    if game.status.is_final:
        return LeaveResult.OVER
    had_seat = await _unseat(session, game, user_id)
    was_waiting = await _is_waiting(session, game, user_id)
    of_user = (Response.game_id == game.id, Response.user_id == user_id)
    had_answer = (await session.execute(delete(Response).where(*of_user).returning(Response.user_id))).first()
    if not had_seat and had_answer is None:
        return LeaveResult.UNCHANGED
    await record_game_change(session, game, AuditAction.PLAYER_REMOVED, actor_id=by, user_id=user_id)
    if had_seat and game.status is GameStatus.SCHEDULED and game.host_id not in (user_id, by):
        await update_drop_outs(session, game, left=user_id)
    await fill_seats(session, game)
    await refresh_announcement(session, game)
    if had_seat:
        return LeaveResult.LEFT
    return LeaveResult.LEFT_WAITLIST if was_waiting else LeaveResult.ANSWERED


async def fill_seats(session: AsyncSession, game: Game) -> list[int]:
    """Give the free seats of a locked game to the first on its waitlist, and notify them. Return who they are."""
    if game.status is not GameStatus.SCHEDULED:
        return []
    waiting = await list_waitlist(session, game.id)
    if not waiting:
        return []
    taken = len(await list_players(session, game.id))
    promoted = waiting if game.capacity is None else waiting[: max(0, game.capacity - taken)]
    for user_id in promoted:
        await _seat(session, game, user_id)
        await add_promotion(session, game, user_id)
        await record_game_change(session, game, AuditAction.PROMOTED, actor_id=None, user_id=user_id)
    return list(promoted)


async def list_players(session: AsyncSession, game_id: UUID) -> list[int]:
    """Return the users who have a seat, in the order they got it."""
    statement = (
        select(Participant.user_id)
        .where(Participant.game_id == game_id)
        .order_by(Participant.joined_at, Participant.user_id)
    )
    return list((await session.execute(statement)).scalars())


async def list_waitlist(session: AsyncSession, game_id: UUID) -> list[int]:
    """Return the users who wait for a seat, first come, first served."""
    statement = (
        select(Response.user_id)
        .where(Response.game_id == game_id, Response.answer == Answer.WAITLISTED)
        .order_by(Response.answered_at, Response.user_id)
    )
    return list((await session.execute(statement)).scalars())


def _is_full(game: Game, players: Sequence[int]) -> bool:
    return game.capacity is not None and len(players) >= game.capacity


async def _record_join(session: AsyncSession, game: Game, action: AuditAction, *, user_id: int, by: int | None) -> None:
    if by is None:
        await record_game_change(session, game, action, actor_id=user_id)
    else:
        await record_game_change(session, game, AuditAction.PLAYER_ADDED, actor_id=by, user_id=user_id)


async def _seat(session: AsyncSession, game: Game, user_id: int) -> None:
    await share_settings(session, [user_id])
    await session.execute(delete(Response).where(Response.game_id == game.id, Response.user_id == user_id))
    await session.execute(insert(Participant).values(game_id=game.id, user_id=user_id))
    await populate_personal_reminders(session, [game.id], user_id=user_id)
    await update_drop_outs(session, game, returned=user_id)


async def _unseat(session: AsyncSession, game: Game, user_id: int) -> bool:
    """Remove a user's seat. Return whether there was one."""
    removed = await session.execute(
        delete(Participant)
        .where(Participant.game_id == game.id, Participant.user_id == user_id)
        .returning(Participant.user_id)
    )
    if removed.scalar_one_or_none() is None:
        return False
    await withdraw_promotion(session, game, user_id)
    await populate_personal_reminders(session, [game.id], user_id=user_id)
    return True


async def _is_waiting(session: AsyncSession, game: Game, user_id: int) -> bool:
    return user_id in await list_waitlist(session, game.id)


async def _respond(session: AsyncSession, game: Game, user_id: int, answer: Answer) -> bool:
    """Record the answer of a user without a seat. Return whether it is another one than before."""
    statement = insert(Response).values(game_id=game.id, user_id=user_id, answer=answer)
    recorded = await session.execute(
        statement.on_conflict_do_update(
            index_elements=[Response.game_id, Response.user_id],
            set_={"answer": answer, "answered_at": func.clock_timestamp()},
            where=Response.answer != answer,
        ).returning(Response.user_id)
    )
    return recorded.scalar_one_or_none() is not None
