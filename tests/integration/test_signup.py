"""Seats, waitlist and the other answers, in a real database, under concurrency and crashes."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database as db
from shared.audit import list_game_entries
from shared.editing import EditResult, GameEdit, edit_game
from shared.games import cancel_game, find_game
from shared.models import (
    Answer,
    DeliveryState,
    Game,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    RecipientKind,
    new_id,
)
from shared.signup import (
    JoinResult,
    LeaveResult,
    MoveUpResult,
    join_game,
    leave_game,
    list_players,
    list_waitlist,
    move_up,
    remove_player,
)
from tests.support.builders import HOST, new_game, rows_of
from tests.support.database import Database, is_anyone_blocked
from tests.support.histories import perform_at_once
from tests.support.transition_check import allow_any_change
from tests.support.waiting import eventually

PROMOTION = NotificationKind.PROMOTION


async def test_the_last_seats_are_taken_once_and_the_others_wait(database: Database) -> None:
    game = await new_game(database.sessions, capacity=3)

    async def join(user: int) -> JoinResult:
        async with db.transaction(database.sessions) as session:
            return await join_game(session, game.id, user_id=user)

    answers = await asyncio.gather(*(join(user) for user in range(1, 9)))
    assert sorted(answer.value for answer in answers) == ["joined"] * 3 + ["waitlisted"] * 5
    async with db.transaction(database.sessions) as session:
        assert len(await list_players(session, game.id)) == 3
        assert len(await list_waitlist(session, game.id)) == 5


async def test_each_answer_has_its_own_result(database: Database) -> None:
    game = await new_game(database.sessions, players=(7,), capacity=1)
    async with db.transaction(database.sessions) as session:
        assert await join_game(session, game.id, user_id=7) is JoinResult.ALREADY_JOINED
        assert await join_game(session, game.id, user_id=8) is JoinResult.WAITLISTED
        assert await join_game(session, game.id, user_id=8) is JoinResult.ALREADY_WAITLISTED
        assert await leave_game(session, game.id, user_id=8) is LeaveResult.LEFT_WAITLIST
        assert await leave_game(session, game.id, user_id=8) is LeaveResult.UNCHANGED
        assert await leave_game(session, game.id, user_id=8, answer=Answer.MAYBE) is LeaveResult.ANSWERED
        assert await leave_game(session, game.id, user_id=7) is LeaveResult.LEFT
        assert await leave_game(session, game.id, user_id=7) is LeaveResult.UNCHANGED
        assert await remove_player(session, game.id, user_id=7, by=HOST) is LeaveResult.ANSWERED
        assert await remove_player(session, game.id, user_id=7, by=HOST) is LeaveResult.UNCHANGED


@pytest.mark.parametrize("freed_by", ["leaving", "a maybe", "the host", "another seat", "no limit"])
async def test_a_free_seat_goes_to_the_first_who_waits(database: Database, freed_by: str) -> None:
    game = await new_game(database.sessions, capacity=2, players=(1, 2, 3, 4))
    async with db.transaction(database.sessions) as session:
        match freed_by:
            case "leaving":
                await leave_game(session, game.id, user_id=1)
            case "a maybe":
                await leave_game(session, game.id, user_id=2, answer=Answer.MAYBE)
            case "the host":
                await remove_player(session, game.id, user_id=1, by=HOST)
            case "another seat":
                assert await edit_game(session, game.id, GameEdit(capacity=3)) is EditResult.CHANGED
            case "no limit":
                assert await edit_game(session, game.id, GameEdit(capacity=0)) is EditResult.CHANGED
        players, waiting = await list_players(session, game.id), await list_waitlist(session, game.id)
    promoted = [3, 4] if freed_by == "no limit" else [3]
    assert players[-len(promoted) :] == promoted
    assert waiting == [user for user in (3, 4) if user not in promoted]
    assert [row.user_id for row in await rows_of(database.sessions, game, PROMOTION)] == promoted


async def test_whoever_gives_the_seat_up_at_once_is_not_notified_of_it(database: Database) -> None:
    game = await new_game(database.sessions, capacity=1, players=(1, 2, 3))
    async with db.transaction(database.sessions) as session:
        await leave_game(session, game.id, user_id=1)
        await leave_game(session, game.id, user_id=2)
    rows = {row.user_id: row.outcome for row in await rows_of(database.sessions, game, PROMOTION)}
    assert rows == {2: Outcome.SUPERSEDED, 3: None}


async def test_a_drop_out_is_not_added_to_a_notice_that_is_settled_meanwhile(database: Database) -> None:
    """The result of a delivery is recorded without the game's lock."""
    game = await new_game(database.sessions, players=(1, 2))
    async with db.transaction(database.sessions) as session:
        await leave_game(session, game.id, user_id=1)
    [first] = await rows_of(database.sessions, game, NotificationKind.DROP_OUT)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        delivery = {"recipient_kind": RecipientKind.USER, "recipient_id": HOST, "state": DeliveryState.SENDING}
        session.add(NotificationDelivery(id=new_id(), notification_id=first.id, **delivery))

    async def leave() -> None:
        async with db.transaction(database.sessions) as session:
            await leave_game(session, game.id, user_id=2)

    settled = {"settled_at": func.now(), "attempt_at": None, "outcome": Outcome.DELIVERED}
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(NotificationSchedule).where(NotificationSchedule.id == first.id).values(**settled))
        leaving = asyncio.create_task(leave())
        await eventually(lambda: is_anyone_blocked(database.sessions))
    await leaving
    rows = await rows_of(database.sessions, game, NotificationKind.DROP_OUT)
    assert [(row.user_ids, row.next_user_ids) for row in rows] == [([1], []), ([2], [])]


async def test_a_cancelled_game_promotes_nobody(database: Database) -> None:
    game = await new_game(database.sessions, capacity=1, players=(1, 2, 3))
    async with db.transaction(database.sessions) as session:
        await leave_game(session, game.id, user_id=1)
        await cancel_game(session, game.id)
        assert await leave_game(session, game.id, user_id=2) is LeaveResult.OVER
    assert [row.outcome for row in await rows_of(database.sessions, game, PROMOTION)] == [Outcome.SUPERSEDED]


async def test_the_host_puts_somebody_first_on_the_waitlist(database: Database) -> None:
    game = await new_game(database.sessions, capacity=1, players=(1, 2, 3, 4))
    async with db.transaction(database.sessions) as session:
        assert await move_up(session, game.id, user_id=4, by=HOST) is MoveUpResult.MOVED
        assert await move_up(session, game.id, user_id=4, by=HOST) is MoveUpResult.ALREADY_FIRST
        assert await move_up(session, game.id, user_id=1, by=HOST) is MoveUpResult.NOT_WAITING
        assert await move_up(session, game.id, user_id=3, by=HOST) is MoveUpResult.MOVED
        assert await list_waitlist(session, game.id) == [3, 4, 2]
        [entry, _] = await list_game_entries(session, game.id, limit=2)
        assert (entry.actor_id, entry.action, entry.detail) == (HOST, "moved up", {"user_id": 3})
        await leave_game(session, game.id, user_id=1)
        assert await list_players(session, game.id) == [3]
        await cancel_game(session, game.id)
        assert await move_up(session, game.id, user_id=2, by=HOST) is MoveUpResult.CLOSED


@dataclass
class Model:
    """What must be true after each change, in a few lines."""

    capacity: int | None
    seats: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    others: dict[int, Answer] = field(default_factory=dict)
    promoted: list[int] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    """Whose notice is not yet sent."""

    def apply(self, change: Change) -> None:
        """Apply a change that was committed."""
        if isinstance(change.action, Answer) or change.action == "remove":
            self._forget(change.user)
        if change.action == "move up":
            self.waiting.remove(change.user)
            self.waiting.insert(0, change.user)
        if change.action is Answer.GOING:
            (self.seats if self._is_free else self.waiting).append(change.user)
        elif isinstance(change.action, Answer):
            self.others[change.user] = change.action
        elif isinstance(change.action, int):
            self.capacity = change.action or None
        while self.waiting and self._is_free:
            self.promoted.append(self.waiting[0])
            self.open.add(self.waiting[0])
            self.seats.append(self.waiting.pop(0))

    @property
    def _is_free(self) -> bool:
        return self.capacity is None or len(self.seats) < self.capacity

    def _forget(self, user: int) -> None:
        self.seats = [other for other in self.seats if other != user]
        self.waiting = [other for other in self.waiting if other != user]
        self.others.pop(user, None)
        self.open.discard(user)


@dataclass(frozen=True)
class Change:
    """An answer, the removal of a user, who is put first on the waitlist, or another number of seats, and the game's
    revision after it."""

    user: int
    action: Answer | int | str
    revision: int = 0


@pytest.mark.parametrize("number", range(4))
async def test_concurrent_answers_and_crashes_leave_what_the_model_says(database: Database, number: int) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}, run {number}")
    rng = random.Random(seed)
    game = await new_game(database.sessions, capacity=3)
    plans = [[_draw(rng) for _ in range(12)] for _ in range(8)]

    async def perform(session: AsyncSession, change: Change) -> Change | None:
        return await _perform(session, game.id, change)

    committed = await perform_at_once(database.sessions, plans, perform)
    model = Model(3)
    for change in sorted(committed, key=lambda change: change.revision):
        model.apply(change)
    async with db.transaction(database.sessions) as session:
        found = await find_game(session, game.id, guild_id=None)
    assert found is not None
    assert found.capacity == model.capacity
    assert [player.user_id for player in found.participants] == model.seats
    waiting = [it.user_id for it in found.responses if it.answer is Answer.WAITLISTED]
    assert waiting == model.waiting
    others = {it.user_id: it.answer for it in found.responses if it.answer is not Answer.WAITLISTED}
    assert others == model.others
    notices = await rows_of(database.sessions, game, PROMOTION)
    assert sorted(row.user_id or 0 for row in notices) == sorted(model.promoted)
    assert {row.user_id for row in notices if row.outcome is None} == model.open


def _draw(rng: random.Random) -> tuple[Change, bool]:
    """Draw a change, and whether the process dies before its commit."""
    actions: list[Answer | int | str] = [Answer.GOING] * 8 + [Answer.MAYBE, Answer.DECLINED, "remove", 3, 4, 5]
    actions += ["move up"] * 4
    return Change(rng.randrange(1, 13), rng.choice(actions)), rng.random() < 0.2


async def _perform(session: AsyncSession, game_id: UUID, change: Change) -> Change | None:
    """Perform a change. Return it with the revision that shows its order, None if it changed nothing."""
    user, result = change.user, None
    match change.action:
        case Answer.GOING:
            result = await join_game(session, game_id, user_id=user)
        case Answer() as answer:
            result = await leave_game(session, game_id, user_id=user, answer=answer)
        case int() as capacity:
            result = await edit_game(session, game_id, GameEdit(capacity=capacity))
        case "move up":
            result = await move_up(session, game_id, user_id=user, by=HOST)
        case _:
            has_left_server = user % 2 == 1
            result = await remove_player(session, game_id, user_id=user, by=None if has_left_server else HOST)
    unchanged = (
        JoinResult.ALREADY_JOINED,
        JoinResult.ALREADY_WAITLISTED,
        LeaveResult.UNCHANGED,
        EditResult.UNCHANGED,
        EditResult.TOO_FEW_SEATS,
        MoveUpResult.ALREADY_FIRST,
        MoveUpResult.NOT_WAITING,
    )
    if result in unchanged:
        return None
    revision = (await session.execute(select(Game.revision).where(Game.id == game_id))).scalar_one()
    return Change(user, change.action, revision)
