"""Offers of seats and slots in a real database, under concurrency and crashes: a seat not taken goes to the next."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database as db
from shared.audit import list_game_entries
from shared.confirmations import ConfirmResult, confirm_attendance
from shared.games import cancel_game
from shared.models import Answer, Game, GameStatus, NotificationKind, NotificationSchedule, Outcome, Participant, Slot
from shared.offers import end_offer
from shared.schedule.offers import LAPSED
from shared.schedule.settle import settle_and_log
from shared.signup import (
    JoinResult,
    LeaveResult,
    MoveUpResult,
    join_game,
    leave_game,
    move_up,
    read_seats,
    read_waitlist,
)
from tests.support.builders import HOST, make_due, new_game, rows_of
from tests.support.database import Database
from tests.support.histories import perform_at_once
from tests.support.transition_check import allow_any_change

OFFER_END, PROMOTION = NotificationKind.OFFER_END, NotificationKind.PROMOTION


async def offered_game(database: Database, **fields: Any) -> tuple[Game, NotificationSchedule]:
    """A game with one seat, which is offered to user 2 since user 1 has left. User 3 waits."""
    game = await new_game(database.sessions, **({"capacity": 1, "players": (1, 2, 3), "offer_minutes": 30} | fields))
    async with db.transaction(database.sessions) as session:
        await leave_game(session, game.id, user_id=1)
    [row] = await rows_of(database.sessions, game, OFFER_END)
    return game, row


async def let_it_end(database: Database, row: NotificationSchedule) -> bool:
    """End an offer whose notice was delivered."""
    await deliver_promotions(database, row.game_id)
    if (await reload(database, row)).settled_at is None:
        await make_due(database.sessions, row)
    async with db.transaction(database.sessions) as session:
        return await end_offer(session, row.id)


async def deliver_promotions(database: Database, game_id: UUID) -> None:
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(
            update(NotificationSchedule)
            .where(
                NotificationSchedule.game_id == game_id,
                NotificationSchedule.kind == PROMOTION,
                NotificationSchedule.settled_at.is_(None),
            )
            .values(settled_at=await db.now(session), attempt_at=None, outcome=Outcome.DELIVERED)
        )


async def seats_of(database: Database, game: Game) -> dict[int, bool]:
    """Return who has a seat, and whether it is confirmed."""
    statement = select(Participant).where(Participant.game_id == game.id).order_by(Participant.joined_at)
    async with db.transaction(database.sessions) as session:
        return {player.user_id: player.is_confirmed for player in await session.scalars(statement)}


async def reload(database: Database, row: NotificationSchedule) -> NotificationSchedule:
    async with db.transaction(database.sessions) as session:
        return await session.get_one(NotificationSchedule, row.id)


async def test_an_offer_ends_after_its_time_but_not_after_the_start(database: Database) -> None:
    game, row = await offered_game(database)
    assert abs(row.due_at - row.created_at - timedelta(minutes=30)) < timedelta(seconds=5)
    assert await seats_of(database, game) == {2: False}
    game, row = await offered_game(database, starts_in=timedelta(minutes=10))
    assert row.due_at == game.scheduled_at


async def test_without_the_option_the_seat_is_theirs_at_once(database: Database) -> None:
    game = await new_game(database.sessions, capacity=1, players=(1, 2))
    async with db.transaction(database.sessions) as session:
        await leave_game(session, game.id, user_id=1)
    assert await seats_of(database, game) == {2: True}
    assert await rows_of(database.sessions, game, OFFER_END) == []


@pytest.mark.parametrize("by", ["Take it", "Join", "another slot"])
async def test_a_seat_that_was_taken_stays(database: Database, by: str) -> None:
    game, row = await (offered_slot(database) if by == "another slot" else offered_game(database))
    async with db.transaction(database.sessions) as session:
        match by:
            case "Take it":
                assert await confirm_attendance(session, game.id, user_id=2) is ConfirmResult.SEAT_TAKEN
                assert await confirm_attendance(session, game.id, user_id=2) is ConfirmResult.ALREADY_CONFIRMED
            case "Join":
                assert await join_game(session, game.id, user_id=2) is JoinResult.CONFIRMED
                assert await join_game(session, game.id, user_id=2) is JoinResult.ALREADY_JOINED
            case _:
                assert await join_game(session, game.id, user_id=2, slot="Healer") is JoinResult.CHANGED_SLOT
        entries = [entry.action for entry in await list_game_entries(session, game.id, limit=9)]
    assert "seat taken" in entries
    assert await let_it_end(database, row) is False
    assert await seats_of(database, game) == {2: True}
    assert (await reload(database, row)).outcome is Outcome.SUPERSEDED


async def offered_slot(database: Database) -> tuple[Game, NotificationSchedule]:
    """A game with one seat for a tank or a healer, which is offered to user 2 since user 1 has left."""
    slots = [Slot("Tank"), Slot("Healer")]
    game = await new_game(database.sessions, capacity=1, offer_minutes=30, slots=slots)
    async with db.transaction(database.sessions) as session:
        for user in (1, 2):
            await join_game(session, game.id, user_id=user, slot="Tank")
        await leave_game(session, game.id, user_id=1)
    [row] = await rows_of(database.sessions, game, OFFER_END)
    return game, row


async def test_a_seat_that_was_not_taken_goes_to_the_next_who_is_offered_it_too(database: Database) -> None:
    game, row = await offered_game(database)
    assert await let_it_end(database, row) is True
    assert await seats_of(database, game) == {3: False}
    lapsed, following = await rows_of(database.sessions, game, OFFER_END)
    assert (lapsed.id, lapsed.reason, lapsed.outcome) == (row.id, LAPSED, None)
    assert (following.user_id, following.reason) == (3, None)
    async with db.transaction(database.sessions) as session:
        assert await end_offer(session, row.id) is False
        assert await confirm_attendance(session, game.id, user_id=2) is ConfirmResult.NO_SEAT
        latest = (await list_game_entries(session, game.id, limit=2))[-1]
    assert (latest.action, latest.actor_id, latest.detail) == ("offer ended", None, {"user_id": 2})


async def test_a_seat_stays_offered_when_the_host_puts_somebody_else_first(database: Database) -> None:
    game, row = await offered_game(database, players=(1, 2, 3, 4))
    async with db.transaction(database.sessions) as session:
        assert await move_up(session, game.id, user_id=4, by=HOST) is MoveUpResult.MOVED
        assert await move_up(session, game.id, user_id=2, by=HOST) is MoveUpResult.NOT_WAITING
    assert await seats_of(database, game) == {2: False}
    assert await let_it_end(database, row) is True
    assert await seats_of(database, game) == {4: False}


async def test_whoever_is_put_first_is_so_among_those_who_wait_for_the_same_slot(database: Database) -> None:
    game = await new_game(database.sessions, slots=[Slot("Tank", 1), Slot("Healer", 1)])
    async with db.transaction(database.sessions) as session:
        for user, slot in enumerate(["Tank", "Healer", "Healer", "Tank", "Healer", "Tank"], start=1):
            await join_game(session, game.id, user_id=user, slot=slot)
        assert list(await read_waitlist(session, game.id)) == [3, 4, 5, 6]
        assert await move_up(session, game.id, user_id=4, by=HOST) is MoveUpResult.ALREADY_FIRST
        assert await move_up(session, game.id, user_id=6, by=HOST) is MoveUpResult.MOVED
        assert list(await read_waitlist(session, game.id)) == [3, 6, 4, 5]
        await leave_game(session, game.id, user_id=1)
        assert await read_seats(session, game.id) == {2: "Healer", 6: "Tank"}


async def test_many_replicas_end_an_offer_once(database: Database) -> None:
    game, row = await offered_game(database, players=(1, 2, 3, 4))
    await deliver_promotions(database, game.id)
    await make_due(database.sessions, row)

    async def end() -> bool:
        async with db.transaction(database.sessions) as session:
            return await end_offer(session, row.id)

    assert sum(await asyncio.gather(*(end() for _ in range(6)))) == 1
    assert await seats_of(database, game) == {3: False}


async def test_nobody_loses_a_seat_of_which_they_do_not_know_yet(database: Database) -> None:
    game, row = await offered_game(database)
    await make_due(database.sessions, row)
    async with db.transaction(database.sessions) as session:
        assert await end_offer(session, row.id) is False
    assert await seats_of(database, game) == {2: False}
    rows = {it.id: it for it in await rows_of(database.sessions, game, OFFER_END)}
    assert rows.pop(row.id).outcome is Outcome.SUPERSEDED
    [later] = rows.values()
    assert later.due_at > row.due_at and later.settled_at is None


@pytest.mark.parametrize("change", ["starts", "is cancelled", "is left"])
async def test_an_offer_does_not_outlive_its_game_or_player(database: Database, change: str) -> None:
    game, row = await offered_game(database)
    async with db.transaction(database.sessions) as session:
        match change:
            case "starts":
                (await session.get_one(Game, game.id)).status = GameStatus.IN_PROGRESS
            case "is cancelled":
                await cancel_game(session, game.id)
            case _:
                await leave_game(session, game.id, user_id=2)
    assert await let_it_end(database, row) is False
    assert (await reload(database, row)).outcome is Outcome.SUPERSEDED
    assert await seats_of(database, game) == ({3: False} if change == "is left" else {2: False})


@dataclass
class Model:
    """What must be true after each change, in a few lines. Everybody who waits, waits for a slot."""

    capacity: int = 3
    limits: dict[str, int] = field(default_factory=lambda: {"Tank": 1, "Healer": 2})
    seats: dict[int, str] = field(default_factory=dict)
    waiting: dict[int, str] = field(default_factory=dict)
    offered: set[int] = field(default_factory=set)
    promoted: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def apply(self, change: Change) -> None:
        """Apply a change that was committed."""
        user = change.user
        match change.action:
            case "take":
                self.offered.discard(user)
            case "end":
                assert user in self.offered, f"{user} lost a seat that was theirs"
                self.lost.append(user)
                self._forget(user)
            case "leave":
                self._forget(user)
            case "move up":
                self._move_up(user)
            case slot if user in self.seats:
                self.seats[user] = slot
                self.offered.discard(user)
            case slot:
                self.waiting.pop(user, None)
                (self.seats if self._is_free(slot) else self.waiting)[user] = slot
        for waiter, slot in list(self.waiting.items()):
            if self._is_free(slot):
                self.promoted.append(waiter)
                self.offered.add(waiter)
                self.seats[waiter] = self.waiting.pop(waiter)

    def _move_up(self, user: int) -> None:
        """Put a user before the first who waits for the same slot."""
        slot = self.waiting.pop(user)
        line = list(self.waiting.items())
        at = next(at for at, (_, other) in enumerate(line) if other == slot)
        self.waiting = dict([*line[:at], (user, slot), *line[at:]])

    def _is_free(self, slot: str) -> bool:
        return len(self.seats) < self.capacity and list(self.seats.values()).count(slot) < self.limits[slot]

    def _forget(self, user: int) -> None:
        self.seats.pop(user, None)
        self.waiting.pop(user, None)
        self.offered.discard(user)


@dataclass(frozen=True)
class Change:
    """The choice of a slot, or what happens to a seat, and the game's revision after it."""

    user: int
    action: str
    revision: int = 0


@pytest.mark.parametrize("number", range(4))
async def test_concurrent_answers_ends_and_crashes_leave_what_the_model_says(database: Database, number: int) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}, run {number}")
    rng = random.Random(seed)
    slots = [Slot("Tank", 1), Slot("Healer", 2)]
    game = await new_game(database.sessions, capacity=3, offer_minutes=30, slots=slots)
    plans = [[_draw(rng) for _ in range(12)] for _ in range(8)]

    async def perform(session: AsyncSession, change: Change) -> Change | None:
        return await _perform(session, game.id, change)

    committed = await perform_at_once(database.sessions, plans, perform)
    model = Model()
    for change in sorted(committed, key=lambda change: change.revision):
        model.apply(change)
    async with db.transaction(database.sessions) as session:
        assert await read_seats(session, game.id) == model.seats
        assert list((await read_waitlist(session, game.id)).items()) == list(model.waiting.items())
    seats = await seats_of(database, game)
    assert {user for user, is_confirmed in seats.items() if not is_confirmed} == model.offered
    notices = await rows_of(database.sessions, game, PROMOTION)
    assert sorted(row.user_id or 0 for row in notices) == sorted(model.promoted)
    ends = await rows_of(database.sessions, game, OFFER_END)
    assert sorted(row.user_id or 0 for row in ends) == sorted(model.promoted)
    assert sorted(row.user_id or 0 for row in ends if row.reason == LAPSED) == sorted(model.lost)
    assert {row.user_id for row in ends if row.reason is None and row.outcome is None} == model.offered


def _draw(rng: random.Random) -> tuple[Change, bool]:
    """Draw a change, and whether the process dies before its commit."""
    actions = ["Tank", "Healer"] * 4 + ["leave", "leave", "take", "take", "end", "end", "end", "move up", "move up"]
    return Change(rng.randrange(1, 9), rng.choice(actions)), rng.random() < 0.2


async def _perform(session: AsyncSession, game_id: UUID, change: Change) -> Change | None:
    """Perform a change. Return it with the revision that shows its order, None if it changed nothing."""
    user, result = change.user, None
    match change.action:
        case "take":
            result = await confirm_attendance(session, game_id, user_id=user)
        case "leave":
            result = await leave_game(session, game_id, user_id=user, answer=Answer.DECLINED)
        case "move up":
            result = await move_up(session, game_id, user_id=user, by=HOST)
        case "end":
            result = await _end_any_offer(session, game_id)
        case slot:
            result = await join_game(session, game_id, user_id=user, slot=slot)
    unchanged = (
        JoinResult.ALREADY_JOINED,
        JoinResult.ALREADY_WAITLISTED,
        JoinResult.SLOT_FULL,
        LeaveResult.UNCHANGED,
        ConfirmResult.NO_SEAT,
        ConfirmResult.ALREADY_CONFIRMED,
        MoveUpResult.ALREADY_FIRST,
        MoveUpResult.NOT_WAITING,
        None,
    )
    if result in unchanged:
        return None
    revision = (await session.execute(select(Game.revision).where(Game.id == game_id))).scalar_one()
    action = "take" if result is JoinResult.CONFIRMED else change.action
    return Change(result if isinstance(result, int) else user, action, revision)


async def _end_any_offer(session: AsyncSession, game_id: UUID) -> int | None:
    """Let the time of an offer be over, whose notice was delivered, and return who has lost the seat."""
    await allow_any_change(session)
    table = NotificationSchedule
    await session.get_one(Game, game_id, with_for_update=True)
    of_game = (table.game_id == game_id, table.settled_at.is_(None))
    row = await session.scalar(select(table).where(*of_game, table.kind == OFFER_END, table.reason.is_(None)).limit(1))
    if row is None or row.user_id is None:
        return None
    notices = await session.scalars(select(table.id).where(*of_game, table.kind == PROMOTION))
    await settle_and_log(session, table, list(notices), outcome=Outcome.DELIVERED)
    row.due_at = await db.now(session)
    await session.flush()
    return row.user_id if await end_offer(session, row.id) else None
