"""Users' answers to a game: who has a seat, who waits for one, who may come and who cannot.

A seat that becomes free is given to the first on the waitlist in the transaction that frees it. So nobody is skipped
and no seat has two players, whatever crashes. In a game with slots, a user waits for a seat of one slot.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.audit import record_game_change
from shared.models import Answer, AuditAction, Game, GameStatus, Participant, Response, Slot
from shared.schedule.notices import add_promotion, refresh_announcement, update_drop_outs, withdraw_promotion
from shared.schedule.offers import add_offer_end, offer_until, withdraw_offer_end
from shared.schedule.personal import populate_personal_reminders, share_settings
from shared.schedule.populate import lock_game
from shared.signup_rules import is_past_closing, lacks_role
from shared.slots import choose_slot, find_free_slot, find_slot, has_space, is_full

_MOMENT = timedelta(microseconds=1)
"""The shortest time that PostgreSQL knows. The places on a waitlist are times."""


class JoinResult(enum.Enum):
    """Result of `join_game`."""

    JOINED = "joined"
    ALREADY_JOINED = "already joined"
    WAITLISTED = "waitlisted"
    ALREADY_WAITLISTED = "already waitlisted"
    CONFIRMED = "confirmed"
    """The player has taken the seat that they were offered."""
    CLOSED = "closed"
    SIGN_UPS_CLOSED = "sign-ups closed"
    """The game has not started, but nobody gets a seat any more without the host."""
    ROLE_MISSING = "role missing"
    CHOOSE_SLOT = "choose a slot"
    """The game has several slots, and none was chosen."""
    NO_SUCH_SLOT = "no such slot"
    CHANGED_SLOT = "changed the slot"
    SLOT_FULL = "the slot is full"
    """The player keeps the seat they have."""


class LeaveResult(enum.Enum):
    """Result of `leave_game` and `remove_player`."""

    LEFT = "left"
    LEFT_WAITLIST = "left the waitlist"
    ANSWERED = "answered"
    UNCHANGED = "unchanged"
    OVER = "over"


class MoveUpResult(enum.Enum):
    """Result of `move_up`."""

    MOVED = "moved"
    ALREADY_FIRST = "already first"
    NOT_WAITING = "not waiting"
    CLOSED = "closed"


async def join_game(
    session: AsyncSession,
    game_id: UUID,
    *,
    user_id: int,
    role_ids: Collection[int] = (),
    by: int | None = None,
    slot: str | None = None,
) -> JoinResult:
    """Give a user a seat, or a place on the waitlist of a full game or slot. The game's lock decides who gets the last.

    `role_ids` are the roles that the user has on the game's server. `by` is who adds the user, if they do not join
    themselves. They may do that after sign-ups are closed. A player who chooses another slot keeps the seat in the
    game. A game with one slot needs no choice.
    """
    game = await lock_game(session, game_id)
    if game.status is not GameStatus.SCHEDULED:
        return JoinResult.CLOSED
    chosen = choose_slot(game.slots, slot)
    if chosen is None and game.slots and slot is not None:
        return JoinResult.NO_SUCH_SLOT
    seats = await read_seats(session, game_id)
    if user_id in seats and (chosen is None or chosen.name == seats[user_id]):
        is_offered = await confirm_seat(session, game, user_id)
        return JoinResult.CONFIRMED if is_offered else JoinResult.ALREADY_JOINED
    if by is None and is_past_closing(game, now=await database.now(session)):
        return JoinResult.SIGN_UPS_CLOSED
    if chosen is not None and user_id in seats:
        return await _change_slot(session, game, chosen, user_id=user_id, by=by)
    if lacks_role(game, role_ids):
        return JoinResult.ROLE_MISSING
    if chosen is None and game.slots:
        is_waiting = user_id in await read_waitlist(session, game_id)
        return JoinResult.ALREADY_WAITLISTED if is_waiting else JoinResult.CHOOSE_SLOT
    if is_full(game, seats) or (chosen is not None and not has_space(chosen, seats)):
        if not await _respond(session, game, user_id, Answer.WAITLISTED, slot=chosen):
            return JoinResult.ALREADY_WAITLISTED
        await _record_join(session, game, AuditAction.WAITLISTED, user_id=user_id, by=by)
        await refresh_announcement(session, game)
        return JoinResult.WAITLISTED
    await _seat(session, game, user_id, slot=chosen)
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
    had_seat = await free_seat(session, game, user_id)
    was_waiting = await _is_waiting(session, game, user_id)
    if not await _respond(session, game, user_id, answer) and not had_seat:
        return LeaveResult.UNCHANGED
    gave_up = AuditAction.LEFT if had_seat else AuditAction.DECLINED
    action = AuditAction.MAYBE if answer is Answer.MAYBE else gave_up
    await record_game_change(session, game, action, actor_id=user_id)
    return await _pass_on(session, game, user_id, by=user_id, had_seat=had_seat, was_waiting=was_waiting)


async def remove_player(session: AsyncSession, game_id: UUID, *, user_id: int, by: int | None) -> LeaveResult:
    """Remove a user's seat or answer. `by` is None if they have left the server. The host is notified of what others
    do."""
    game = await lock_game(session, game_id)
    if game.status.is_final:
        return LeaveResult.OVER
    had_seat = await free_seat(session, game, user_id)
    was_waiting = await _is_waiting(session, game, user_id)
    of_user = (Response.game_id == game.id, Response.user_id == user_id)
    had_answer = (await session.execute(delete(Response).where(*of_user).returning(Response.user_id))).first()
    if not had_seat and had_answer is None:
        return LeaveResult.UNCHANGED
    action = AuditAction.LEFT_SERVER if by is None else AuditAction.PLAYER_REMOVED
    await record_game_change(session, game, action, actor_id=by, user_id=user_id)
    return await _pass_on(session, game, user_id, by=by, had_seat=had_seat, was_waiting=was_waiting)


async def move_up(session: AsyncSession, game_id: UUID, *, user_id: int, by: int) -> MoveUpResult:
    """Put a user who waits for a seat before all others, or before all who wait for the same slot.

    Their place among those who wait for other slots is that of the first whom they pass. A seat that somebody is
    offered already stays offered to them.
    """
    game = await lock_game(session, game_id)
    if game.status is not GameStatus.SCHEDULED:
        return MoveUpResult.CLOSED
    waiting = await read_waitlist(session, game_id)
    if user_id not in waiting:
        return MoveUpResult.NOT_WAITING
    first = next(user for user, slot in waiting.items() if slot == waiting[user_id])
    if first == user_id:
        return MoveUpResult.ALREADY_FIRST
    of_game = (Response.game_id == game_id, Response.answer == Answer.WAITLISTED)
    before = select(Response.answered_at - _MOMENT).where(*of_game, Response.user_id == first).scalar_subquery()
    moved = update(Response).where(*of_game, Response.user_id == user_id).values(answered_at=before)
    await session.execute(moved.execution_options(synchronize_session=False))
    await record_game_change(session, game, AuditAction.MOVED_UP, actor_id=by, user_id=user_id)
    await refresh_announcement(session, game)
    return MoveUpResult.MOVED


async def fill_seats(session: AsyncSession, game: Game) -> list[int]:
    """Give the free seats of a locked game to the first on its waitlist, and notify them. Return who they are.

    Users who wait for a slot that is full are passed over, and keep their place in its line.
    """
    if game.status is not GameStatus.SCHEDULED:
        return []
    waiting = await read_waitlist(session, game.id)
    if not waiting:
        return []
    seats = await read_seats(session, game.id)
    promoted: list[int] = []
    for user_id, wanted in waiting.items():
        if is_full(game, seats):
            break
        slot = find_free_slot(game, seats, wanted)
        if slot is None and game.slots:
            continue
        until = offer_until(game, now=await database.now(session))
        await _seat(session, game, user_id, slot=slot, offered_until=until)
        await add_promotion(session, game, user_id)
        if until is not None:
            await add_offer_end(session, game, user_id, due_at=until)
        await record_game_change(session, game, AuditAction.PROMOTED, actor_id=None, user_id=user_id)
        seats[user_id] = None if slot is None else slot.name
        promoted.append(user_id)
    return promoted


async def confirm_seat(session: AsyncSession, game: Game, user_id: int) -> bool:
    """Make the seat of a locked game that a user is offered theirs. Return whether they were offered one."""
    statement = update(Participant).where(
        Participant.game_id == game.id, Participant.user_id == user_id, Participant.offered_until.is_not(None)
    )
    confirmed = await session.execute(
        statement.values(is_confirmed=True, offered_until=None).returning(Participant.user_id)
    )
    if confirmed.scalar_one_or_none() is None:
        return False
    await withdraw_offer_end(session, game, user_id, detail="the player has taken the seat")
    await record_game_change(session, game, AuditAction.SEAT_TAKEN, actor_id=user_id)
    await refresh_announcement(session, game)
    return True


async def rename_slots(session: AsyncSession, game: Game, before: Sequence[Slot]) -> None:
    """Write the names that a locked game's slots have now to its players and those who wait."""
    for slot in before:
        after = find_slot(game.slots, slot.name)
        name = None if after is None else after.name
        if name == slot.name:
            continue
        for table in (Participant, Response):
            statement = update(table).where(table.game_id == game.id, table.slot == slot.name)
            await session.execute(statement.values(slot=name))


async def list_players(session: AsyncSession, game_id: UUID) -> list[int]:
    """Return the users who have a seat, in the order they got it."""
    return list(await read_seats(session, game_id))


async def list_waitlist(session: AsyncSession, game_id: UUID) -> list[int]:
    """Return the users who wait for a seat, first come, first served."""
    return list(await read_waitlist(session, game_id))


async def read_seats(session: AsyncSession, game_id: UUID) -> dict[int, str | None]:
    """Return the slots of the users who have a seat, in the order they got it."""
    statement = (
        select(Participant.user_id, Participant.slot)
        .where(Participant.game_id == game_id)
        .order_by(Participant.joined_at, Participant.user_id)
    )
    return {row.user_id: row.slot for row in await session.execute(statement)}


async def read_waitlist(session: AsyncSession, game_id: UUID) -> dict[int, str | None]:
    """Return the slots for which users wait, None for any, first come, first served."""
    statement = (
        select(Response.user_id, Response.slot)
        .where(Response.game_id == game_id, Response.answer == Answer.WAITLISTED)
        .order_by(Response.answered_at, Response.user_id)
    )
    return {row.user_id: row.slot for row in await session.execute(statement)}


async def _change_slot(session: AsyncSession, game: Game, slot: Slot, *, user_id: int, by: int | None) -> JoinResult:
    """Move a player of a locked game to another slot, and give the seat they leave to the first who waits for it.

    A slot for which others wait counts as full, because they came first.
    """
    seats, waiting = await read_seats(session, game.id), await read_waitlist(session, game.id)
    if not has_space(slot, seats) or slot.name in waiting.values():
        return JoinResult.SLOT_FULL
    of_user = (Participant.game_id == game.id, Participant.user_id == user_id)
    await session.execute(update(Participant).where(*of_user).values(slot=slot.name))
    await record_game_change(
        session,
        game,
        AuditAction.SLOT_CHANGED,
        actor_id=user_id if by is None else by,
        user_id=user_id,
        changes={"slot": (seats[user_id], slot.name)},
    )
    await confirm_seat(session, game, user_id)
    await fill_seats(session, game)
    await refresh_announcement(session, game)
    return JoinResult.CHANGED_SLOT


async def _record_join(session: AsyncSession, game: Game, action: AuditAction, *, user_id: int, by: int | None) -> None:
    if by is None:
        await record_game_change(session, game, action, actor_id=user_id)
    else:
        await record_game_change(session, game, AuditAction.PLAYER_ADDED, actor_id=by, user_id=user_id)


async def _seat(
    session: AsyncSession, game: Game, user_id: int, *, slot: Slot | None, offered_until: datetime | None = None
) -> None:
    await share_settings(session, [user_id])
    await session.execute(delete(Response).where(Response.game_id == game.id, Response.user_id == user_id))
    name = None if slot is None else slot.name
    offer = {"is_confirmed": offered_until is None, "offered_until": offered_until}
    await session.execute(insert(Participant).values(game_id=game.id, user_id=user_id, slot=name, **offer))
    await populate_personal_reminders(session, [game.id], user_id=user_id)
    await update_drop_outs(session, game, returned=user_id)


async def free_seat(session: AsyncSession, game: Game, user_id: int) -> bool:
    """Remove a user's seat. Return whether there was one."""
    removed = await session.execute(
        delete(Participant)
        .where(Participant.game_id == game.id, Participant.user_id == user_id)
        .returning(Participant.user_id)
    )
    if removed.scalar_one_or_none() is None:
        return False
    await withdraw_promotion(session, game, user_id)
    await withdraw_offer_end(session, game, user_id, detail="the player has left")
    await populate_personal_reminders(session, [game.id], user_id=user_id)
    return True


async def _pass_on(
    session: AsyncSession, game: Game, user_id: int, *, by: int | None, had_seat: bool, was_waiting: bool
) -> LeaveResult:
    """Give the seat that a user had in a locked game to the next, and return what the user had.

    The host is notified of a drop-out, unless they are the user or removed them.
    """
    if had_seat and game.status is GameStatus.SCHEDULED and game.host_id not in (user_id, by):
        await update_drop_outs(session, game, left=user_id)
    await fill_seats(session, game)
    await refresh_announcement(session, game)
    if had_seat:
        return LeaveResult.LEFT
    return LeaveResult.LEFT_WAITLIST if was_waiting else LeaveResult.ANSWERED


async def _is_waiting(session: AsyncSession, game: Game, user_id: int) -> bool:
    return user_id in await list_waitlist(session, game.id)


async def _respond(
    session: AsyncSession, game: Game, user_id: int, answer: Answer, *, slot: Slot | None = None
) -> bool:
    """Record the answer of a user without a seat. Return whether it is another one than before."""
    name = None if slot is None else slot.name
    statement = insert(Response).values(game_id=game.id, user_id=user_id, answer=answer, slot=name)
    recorded = await session.execute(
        statement.on_conflict_do_update(
            index_elements=[Response.game_id, Response.user_id],
            set_={"answer": answer, "slot": name, "answered_at": func.clock_timestamp()},
            where=or_(Response.answer != answer, Response.slot.is_distinct_from(name)),
        ).returning(Response.user_id)
    )
    return recorded.scalar_one_or_none() is not None
