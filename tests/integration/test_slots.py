"""Slots of a game in a real database, under concurrency and crashes: each has its own seats and its own waitlist."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database as db
from shared.audit import list_game_entries
from shared.editing import EditResult, GameEdit, edit_game
from shared.models import Answer, Game, NotificationKind, Slot
from shared.signup import (
    JoinResult,
    LeaveResult,
    join_game,
    leave_game,
    list_players,
    read_seats,
    read_waitlist,
    remove_player,
)
from tests.integration.test_series import cancel, new_series, open_games
from tests.support.builders import HOST, new_game, rows_of
from tests.support.database import Database
from tests.support.histories import perform_at_once

TANK, HEALER, DPS = Slot("Tank", 1, "🛡️"), Slot("Healer", 2), Slot("DPS")
SLOTS = (TANK, HEALER, DPS)
PROMOTION = NotificationKind.PROMOTION


async def test_each_slot_has_its_own_seats_and_waitlist(database: Database) -> None:
    game = await new_game(database.sessions, slots=SLOTS, capacity=3)
    async with db.transaction(database.sessions) as session:
        assert await join_game(session, game.id, user_id=1) is JoinResult.CHOOSE_SLOT
        assert await join_game(session, game.id, user_id=1, slot="bard") is JoinResult.NO_SUCH_SLOT
        assert await join_game(session, game.id, user_id=1, slot="tank") is JoinResult.JOINED
        assert await join_game(session, game.id, user_id=1) is JoinResult.ALREADY_JOINED
        assert await join_game(session, game.id, user_id=2, slot="Tank") is JoinResult.WAITLISTED
        assert await join_game(session, game.id, user_id=2) is JoinResult.ALREADY_WAITLISTED
        assert await join_game(session, game.id, user_id=3, slot="Healer") is JoinResult.JOINED
        assert await join_game(session, game.id, user_id=4, slot="DPS") is JoinResult.JOINED
        assert await join_game(session, game.id, user_id=5, slot="Healer") is JoinResult.WAITLISTED
        assert await read_seats(session, game.id) == {1: "Tank", 3: "Healer", 4: "DPS"}
        assert await read_waitlist(session, game.id) == {2: "Tank", 5: "Healer"}
        assert await leave_game(session, game.id, user_id=4) is LeaveResult.LEFT
        assert await read_seats(session, game.id) == {1: "Tank", 3: "Healer", 5: "Healer"}
    assert [row.user_id for row in await rows_of(database.sessions, game, PROMOTION)] == [5]


async def test_a_game_with_one_slot_needs_no_choice(database: Database) -> None:
    game = await new_game(database.sessions, slots=[Slot("Player", 2)], players=(1, 2, 3))
    async with db.transaction(database.sessions) as session:
        assert await read_seats(session, game.id) == {1: "Player", 2: "Player"}
        assert await read_waitlist(session, game.id) == {3: "Player"}


async def test_who_changes_the_slot_keeps_the_seat_and_the_freed_one_goes_to_the_first_in_its_line(
    database: Database,
) -> None:
    game = await new_game(database.sessions, slots=SLOTS)
    async with db.transaction(database.sessions) as session:
        for user, slot in ((1, "Tank"), (2, "Tank"), (3, "Healer"), (4, "Healer"), (5, "Tank")):
            await join_game(session, game.id, user_id=user, slot=slot)
        assert await join_game(session, game.id, user_id=1, slot="Healer") is JoinResult.SLOT_FULL
        assert await join_game(session, game.id, user_id=3, slot="Tank") is JoinResult.SLOT_FULL
        assert await join_game(session, game.id, user_id=1, slot="DPS") is JoinResult.CHANGED_SLOT
        assert await read_seats(session, game.id) == {1: "DPS", 3: "Healer", 4: "Healer", 2: "Tank"}
        assert await read_waitlist(session, game.id) == {5: "Tank"}
        changed = next(it for it in await list_game_entries(session, game.id, limit=9) if it.action == "slot changed")
    assert changed.detail == {"user_id": 1, "changed": {"slot": ["Tank", "DPS"]}}
    assert [row.user_id for row in await rows_of(database.sessions, game, PROMOTION)] == [2]


async def test_nobody_takes_a_slot_past_those_who_wait_for_it(database: Database) -> None:
    game = await new_game(database.sessions, slots=SLOTS, capacity=2)
    async with db.transaction(database.sessions) as session:
        for user, slot in ((1, "DPS"), (2, "DPS"), (3, "Tank")):
            await join_game(session, game.id, user_id=user, slot=slot)
        assert await join_game(session, game.id, user_id=1, slot="Tank") is JoinResult.SLOT_FULL


async def test_slots_that_have_players_can_neither_go_nor_shrink_below_them(database: Database) -> None:
    game = await new_game(database.sessions, slots=SLOTS)

    async def edit(*slots: Slot) -> EditResult:
        async with db.transaction(database.sessions) as session:
            return await edit_game(session, game.id, GameEdit(slots=slots))

    async with db.transaction(database.sessions) as session:
        for user, slot in ((1, "Tank"), (2, "Tank"), (3, "Healer"), (4, "Healer")):
            await join_game(session, game.id, user_id=user, slot=slot)
    assert await edit(HEALER, DPS) is EditResult.SLOT_TAKEN
    assert await edit(TANK, Slot("Healer", 1), DPS) is EditResult.SLOT_TAKEN
    assert await edit(*SLOTS) is EditResult.UNCHANGED
    assert await edit(Slot("tank", 2), HEALER) is EditResult.CHANGED
    async with db.transaction(database.sessions) as session:
        assert await read_seats(session, game.id) == {1: "tank", 3: "Healer", 4: "Healer", 2: "tank"}
    assert [row.user_id for row in await rows_of(database.sessions, game, PROMOTION)] == [2]
    assert await edit() is EditResult.CHANGED
    async with db.transaction(database.sessions) as session:
        assert set((await read_seats(session, game.id)).values()) == {None}


async def test_a_slot_for_which_somebody_waits_cannot_go(database: Database) -> None:
    game = await new_game(database.sessions, slots=SLOTS, capacity=1)
    async with db.transaction(database.sessions) as session:
        await join_game(session, game.id, user_id=1, slot="Tank")
        await join_game(session, game.id, user_id=2, slot="Healer")
        assert await edit_game(session, game.id, GameEdit(slots=(TANK, DPS))) is EditResult.SLOT_TAKEN


async def test_slots_can_be_added_to_a_game_that_has_players(database: Database) -> None:
    game = await new_game(database.sessions, players=(1, 2, 3), capacity=2)
    async with db.transaction(database.sessions) as session:
        assert await edit_game(session, game.id, GameEdit(slots=SLOTS)) is EditResult.CHANGED
        assert await join_game(session, game.id, user_id=1, slot="Tank") is JoinResult.CHANGED_SLOT
        await leave_game(session, game.id, user_id=2)
        assert await read_seats(session, game.id) == {1: "Tank", 3: "Healer"}


async def test_players_keep_their_slots_in_the_next_game_of_a_series(database: Database) -> None:
    settings = {"carries_roster": True, "regulars": [7]}
    series, first = await new_series(database.sessions, slots=SLOTS, settings=settings)
    async with db.transaction(database.sessions) as session:
        for user, slot in ((1, "Tank"), (2, "DPS"), (3, "Healer")):
            await join_game(session, first.id, user_id=user, slot=slot)
        series = await session.merge(series)
        series.slots = (TANK, DPS)
    await cancel(database.sessions, first)
    [following] = await open_games(database.sessions, series)
    async with db.transaction(database.sessions) as session:
        assert await read_seats(session, following.id) == {7: None, 1: "Tank", 2: "DPS", 3: None}


@dataclass
class Model:
    """What must be true after each change, in a few lines. Everybody who waits, waits for a slot."""

    capacity: int = 5
    limits: dict[str, int | None] = field(default_factory=lambda: {"Tank": 1, "Healer": 2, "DPS": None})
    seats: dict[int, str] = field(default_factory=dict)
    waiting: dict[int, str] = field(default_factory=dict)
    promoted: list[int] = field(default_factory=list)

    def apply(self, change: Change) -> None:
        """Apply a change that was committed."""
        match change.action:
            case str() as slot:
                if change.user in self.seats:
                    self.seats[change.user] = slot
                else:
                    self.waiting.pop(change.user, None)
                    (self.seats if self._is_free(slot) else self.waiting)[change.user] = slot
            case int() as seats:
                self.capacity = seats
            case Slot() as slot:
                self.limits[slot.name] = slot.capacity
            case None:
                self.seats.pop(change.user, None)
                self.waiting.pop(change.user, None)
        for user, slot in list(self.waiting.items()):
            if self._is_free(slot):
                self.promoted.append(user)
                self.seats[user] = self.waiting.pop(user)

    def _is_free(self, slot: str) -> bool:
        limit = self.limits[slot]
        return len(self.seats) < self.capacity and (limit is None or list(self.seats.values()).count(slot) < limit)


@dataclass(frozen=True)
class Change:
    """The choice of a slot, leaving (None), other limits, and the game's revision after it."""

    user: int
    action: str | int | Slot | None
    revision: int = 0


@pytest.mark.parametrize("number", range(4))
async def test_concurrent_choices_and_crashes_leave_what_the_model_says(database: Database, number: int) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}, run {number}")
    rng = random.Random(seed)
    game = await new_game(database.sessions, capacity=5, slots=SLOTS)
    plans = [[_draw(rng) for _ in range(12)] for _ in range(8)]

    async def perform(session: AsyncSession, change: Change) -> Change | None:
        return await _perform(session, game.id, change)

    committed = await perform_at_once(database.sessions, plans, perform)
    model = Model()
    for change in sorted(committed, key=lambda change: change.revision):
        model.apply(change)
    async with db.transaction(database.sessions) as session:
        assert await read_seats(session, game.id) == model.seats
        assert await list_players(session, game.id) == list(model.seats)
        waiting = await read_waitlist(session, game.id)
    assert list(waiting.items()) == list(model.waiting.items())
    notices = await rows_of(database.sessions, game, PROMOTION)
    assert sorted(row.user_id or 0 for row in notices) == sorted(model.promoted)


def _draw(rng: random.Random) -> tuple[Change, bool]:
    """Draw a change, and whether the process dies before its commit."""
    actions: list[str | int | Slot | None] = ["Tank", "Healer", "DPS"] * 4
    actions += [None, None, 5, 6, 7, Slot("Tank", 2), Slot("Healer", 3), Slot("Tank", 1), Slot("DPS", 4)]
    return Change(rng.randrange(1, 13), rng.choice(actions)), rng.random() < 0.2


async def _perform(session: AsyncSession, game_id: UUID, change: Change) -> Change | None:
    """Perform a change. Return it with the revision that shows its order, None if it changed nothing."""
    user, result = change.user, None
    match change.action:
        case str() as slot:
            result = await join_game(session, game_id, user_id=user, slot=slot)
        case int() as capacity:
            result = await edit_game(session, game_id, GameEdit(capacity=capacity))
        case Slot() as slot:
            game = await session.get_one(Game, game_id, with_for_update=True)
            slots = tuple(slot if it.name == slot.name else it for it in game.slots)
            result = await edit_game(session, game_id, GameEdit(slots=slots))
        case None if user % 2:
            has_left_server = user % 4 == 1
            result = await remove_player(session, game_id, user_id=user, by=None if has_left_server else HOST)
        case None:
            result = await leave_game(session, game_id, user_id=user, answer=Answer.MAYBE)
    unchanged = (
        JoinResult.ALREADY_JOINED,
        JoinResult.ALREADY_WAITLISTED,
        JoinResult.SLOT_FULL,
        LeaveResult.UNCHANGED,
        EditResult.UNCHANGED,
        EditResult.TOO_FEW_SEATS,
        EditResult.SLOT_TAKEN,
    )
    if result in unchanged:
        return None
    revision = (await session.execute(select(Game.revision).where(Game.id == game_id))).scalar_one()
    return Change(user, change.action, revision)
