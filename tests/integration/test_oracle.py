"""The facts that the oracle reads from a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, text, update

from sandbox.oracle import history
from sandbox.oracle.compare import compare_deliveries
from sandbox.oracle.facts import DatabaseFacts, Evidence, ObservedMessage
from sandbox.oracle.final_state import check_all_delivered
from sandbox.oracle.verdict import Verdict
from shared import database as db
from shared.confirmations import confirm_attendance
from shared.editing import GameEdit, edit_game
from shared.models import (
    DeliveryState,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    RecipientKind,
    Slot,
    delivery_id,
    new_id,
)
from shared.signup import join_game, leave_game
from tests.support.builders import HOST, new_game, rows_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change

PLAYER = 42


async def test_every_state_of_a_game_and_every_attempt_is_recorded(database: Database) -> None:
    async with history.recorded(database.engine):
        game = await new_game(database.sessions, offsets=(10,))
        [row] = await rows_of(database.sessions, game, NotificationKind.REMINDER)
        later = game.scheduled_at + timedelta(hours=1)
        for change in (
            lambda session: join_game(session, game.id, user_id=PLAYER),
            lambda session: leave_game(session, game.id, user_id=PLAYER),
            lambda session: edit_game(session, game.id, GameEdit(scheduled_at=later)),
        ):
            async with db.transaction(database.sessions) as session:
                await change(session)
        delivery_id = await _deliver(database, row.id, message_id=7)
        facts = await history.read_history(database.sessions)
    states = facts.games[game.id].states
    assert [PLAYER in state.players for state in states][-3:] == [True, False, False]
    assert (states[0].starts_at, states[-1].starts_at) == (game.scheduled_at, later)
    assert [state.at for state in states] == sorted(state.at for state in states)
    assert len(facts.deliveries[delivery_id].attempts) == 1
    assert {transition.game_id for transition in facts.transitions} == {game.id}


async def test_seats_slots_offers_and_answers_are_recorded(database: Database) -> None:
    tank, healer = Slot("Tank", 1), Slot("Healer", 1)
    async with history.recorded(database.engine):
        game = await new_game(database.sessions, slots=(tank, healer), capacity=5, offer_minutes=30, minimum_players=3)
        for change in (
            lambda session: join_game(session, game.id, user_id=1, slot="Tank"),
            lambda session: join_game(session, game.id, user_id=4, slot="Tank"),
            lambda session: join_game(session, game.id, user_id=2, slot="Tank"),
            lambda session: leave_game(session, game.id, user_id=1),
            lambda session: confirm_attendance(session, game.id, user_id=4),
            lambda session: join_game(session, game.id, user_id=3, slot="Healer"),
            lambda session: edit_game(session, game.id, GameEdit(slots=(tank, Slot("Healer", 2)), capacity=4)),
        ):
            async with db.transaction(database.sessions) as session:
                await change(session)
        facts = await history.read_history(database.sessions)
    recorded = facts.games[game.id]
    assert (recorded.minimum_players, recorded.minimum_minutes) == (3, 24 * 60)
    _, joined, _, waits, promoted, taken, healed, edited = recorded.states
    assert (joined.capacity, joined.slots, joined.chosen) == (5, (tank, healer), {1: "Tank"})
    assert (waits.waiting, waits.chosen) == ((4, 2), {1: "Tank", 2: "Tank", 4: "Tank"})
    assert (promoted.waiting, promoted.answered) == ((2,), {1})
    assert promoted.offers.keys() == {4}
    assert abs(promoted.offers[4] - promoted.at - timedelta(minutes=30)) < timedelta(seconds=5)
    assert taken.offers == {}
    assert healed.chosen == {2: "Tank", 3: "Healer", 4: "Tank"}
    assert (edited.slots[1].capacity, edited.capacity) == (2, 4)


async def test_the_database_is_left_as_it_was(database: Database) -> None:
    for _ in range(2):
        async with history.recorded(database.engine):
            await new_game(database.sessions)
    async with db.transaction(database.sessions) as session:
        left = await session.execute(text("SELECT relname FROM pg_class WHERE relname LIKE 'oracle_%'"))
        assert left.all() == []


async def test_a_game_without_a_recorded_history_is_ignored(database: Database) -> None:
    await new_game(database.sessions, offsets=(10,))
    async with history.recorded(database.engine):
        facts = await history.read_history(database.sessions)
    assert (facts.games, facts.notifications, facts.transitions) == ({}, {}, [])


@pytest.fixture
async def delivered(database: Database) -> tuple[DatabaseFacts, ObservedMessage]:
    """The rows of a game whose reminder was delivered, and the message, without a history."""
    game = await new_game(database.sessions, offsets=(10,), starts_in=timedelta(minutes=10, milliseconds=500))
    [row] = await rows_of(database.sessions, game, NotificationKind.REMINDER)
    delivery_id = await _deliver(database, row.id, message_id=7)
    facts = await history.read_rows(database.sessions, [game.id])
    facts = replace(facts, now=row.due_at + timedelta(seconds=1))
    return facts, ObservedMessage(facts.now, 7, delivery_id, game.title, frozenset({HOST}), channel_id=game.channel_id)


def problems(facts: DatabaseFacts, *messages: ObservedMessage) -> list[str]:
    evidence = Evidence(facts, messages)
    verdict: Verdict = compare_deliveries(evidence)
    check_all_delivered(evidence, verdict)
    return verdict.problems


def test_rows_without_a_history_are_enough_where_games_never_change(
    delivered: tuple[DatabaseFacts, ObservedMessage],
) -> None:
    facts, message = delivered
    assert problems(facts, message) == []
    assert "lost" in problems(facts)[0]
    assert "doubled" in problems(facts, message, replace(message, message_id=8))[0]
    assert "nothing asked for" in problems(facts, message, replace(message, delivery_id=new_id()))[0]
    assert "it was not due" in problems(facts, replace(message, at=facts.now - timedelta(seconds=2)))[0]
    assert "the ledger has message 7" in problems(facts, replace(message, message_id=8))[0]


async def _deliver(database: Database, row_id: UUID, *, message_id: int) -> UUID:
    """Write what a delivery to the channel leaves behind."""
    delivery = NotificationDelivery(
        id=delivery_id(row_id, RecipientKind.CHANNEL, 1),
        notification_id=row_id,
        recipient_kind=RecipientKind.CHANNEL,
        recipient_id=1,
        attempts=0,
    )
    settled = {"settled_at": func.now(), "attempt_at": None, "outcome": Outcome.DELIVERED}
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        session.add(delivery)
        await session.flush()
        delivery.attempts, delivery.state, delivery.message_id = 1, DeliveryState.SENT, message_id
        await session.execute(update(NotificationSchedule).where(NotificationSchedule.id == row_id).values(**settled))
    return delivery.id
