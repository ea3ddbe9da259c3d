"""`populate_schedule` and the actions on games, in a real database."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from shared import database as db
from shared.editing import GameEdit, edit_game
from shared.games import cancel_game
from shared.models import (
    DeliveryState,
    Game,
    GameStatus,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    RecipientKind,
    delivery_id,
)
from shared.schedule import settle
from shared.schedule.notices import refresh_announcement
from shared.schedule.populate import lock_game, populate_schedule
from shared.schedule.retry import Backoff
from shared.schedule.settle import settle_and_log
from tests.support.builders import new_game, rows_of
from tests.support.database import Database, is_anyone_blocked
from tests.support.transition_check import allow_any_change
from tests.support.waiting import eventually

REMINDER = NotificationKind.REMINDER


async def test_a_new_game_has_its_reminders_transitions_and_announcement(database: Database) -> None:
    game = await new_game(database.sessions, offsets=(60, 10))
    rows = await rows_of(database.sessions, game)
    assert [(row.kind, row.offset_minutes) for row in rows] == [
        (NotificationKind.ANNOUNCEMENT, None),
        (REMINDER, 60),
        (REMINDER, 10),
    ]
    assert all(row.game_scheduled_at == game.scheduled_at and row.game_version == 1 for row in rows)
    assert [row.due_at for row in rows[1:]] == [
        game.scheduled_at - timedelta(minutes=60),
        game.scheduled_at - timedelta(minutes=10),
    ]
    assert await transitions(database, game) == {
        GameStatus.IN_PROGRESS: game.scheduled_at,
        GameStatus.COMPLETED: game.scheduled_at + timedelta(hours=3),
    }


async def test_offsets_already_past_are_not_written(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=timedelta(minutes=30), offsets=(1440, 60, 10))
    assert [row.offset_minutes for row in await rows_of(database.sessions, game, REMINDER)] == [10]


async def test_populating_again_changes_nothing(database: Database) -> None:
    game = await new_game(database.sessions)
    before = [(row.id, row.attempt_at) for row in await rows_of(database.sessions, game)]
    for _ in range(3):
        async with db.transaction(database.sessions) as session:
            await populate_schedule(session, game.id)
    assert [(row.id, row.attempt_at) for row in await rows_of(database.sessions, game)] == before


async def test_moving_a_game_supersedes_its_reminders_and_writes_new_ones(database: Database) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    later = game.scheduled_at + timedelta(days=1)
    async with db.transaction(database.sessions) as session:
        await edit_game(session, game.id, GameEdit(scheduled_at=later))
    old, new = await rows_of(database.sessions, game, REMINDER)
    assert (old.outcome, old.attempt_at) == (Outcome.SUPERSEDED, None)
    assert (new.outcome, new.game_scheduled_at, new.game_version) == (None, later, 2)
    assert await transitions(database, game) == {
        GameStatus.IN_PROGRESS: later,
        GameStatus.COMPLETED: later + timedelta(hours=3),
    }


async def test_moving_a_game_away_and_back_reopens_its_reminder(database: Database) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    [first] = await rows_of(database.sessions, game, REMINDER)
    for start in (game.scheduled_at + timedelta(days=1), game.scheduled_at):
        async with db.transaction(database.sessions) as session:
            await edit_game(session, game.id, GameEdit(scheduled_at=start))
    open_rows = [row for row in await rows_of(database.sessions, game, REMINDER) if row.settled_at is None]
    assert [(row.id, row.game_version, row.attempt_at) for row in open_rows] == [(first.id, 3, first.due_at)]


async def test_a_question_that_is_settled_while_its_game_moves_back_stays_as_it_is(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=timedelta(days=3), minimum_players=3)
    [row] = await rows_of(database.sessions, game, NotificationKind.MINIMUM)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        session.add(
            NotificationDelivery(
                id=delivery_id(row.id, RecipientKind.USER, game.host_id),
                notification_id=row.id,
                recipient_kind=RecipientKind.USER,
                recipient_id=game.host_id,
                state=DeliveryState.SENDING,
            )
        )

    async def move(start: datetime) -> None:
        async with db.transaction(database.sessions) as session:
            await edit_game(session, game.id, GameEdit(scheduled_at=start))

    await move(game.scheduled_at + timedelta(days=1))
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)  # it is not due yet
        await settle_and_log(session, NotificationSchedule, [row.id], outcome=Outcome.DELIVERED)
        moving = asyncio.create_task(move(game.scheduled_at))
        await eventually(lambda: is_anyone_blocked(database.sessions))
    await moving
    [settled] = [it for it in await rows_of(database.sessions, game) if it.id == row.id]
    assert (settled.outcome, settled.game_version) == (Outcome.DELIVERED, 1)


async def test_a_delivered_reminder_is_not_written_again(database: Database) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    [row] = await rows_of(database.sessions, game, REMINDER)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        delivered = await session.merge(row)
        delivered.settled_at, delivered.attempt_at, delivered.outcome = await db.now(session), None, Outcome.DELIVERED
    for start in (game.scheduled_at + timedelta(days=1), game.scheduled_at):
        async with db.transaction(database.sessions) as session:
            await edit_game(session, game.id, GameEdit(scheduled_at=start))
    assert [row for row in await rows_of(database.sessions, game, REMINDER) if row.settled_at is None] == []


async def test_a_cancelled_game_has_only_its_cancellation_left(database: Database) -> None:
    game = await new_game(database.sessions, players=(1, 2))
    async with db.transaction(database.sessions) as session:
        assert await cancel_game(session, game.id)
    open_rows = [row for row in await rows_of(database.sessions, game) if row.settled_at is None]
    assert {row.kind for row in open_rows} == {NotificationKind.ANNOUNCEMENT, NotificationKind.CANCELLATION}
    assert await transitions(database, game) == {}
    async with db.transaction(database.sessions) as session:
        assert not await cancel_game(session, game.id)


async def test_many_changes_share_one_update_of_the_announcement(database: Database) -> None:
    game = await new_game(database.sessions, players=range(1, 8))
    assert len(await rows_of(database.sessions, game, NotificationKind.ANNOUNCEMENT)) == 1


async def test_a_repeated_request_creates_one_game(database: Database) -> None:
    games = await asyncio.gather(*(new_game(database.sessions, interaction_id=42) for _ in range(4)))
    assert len({game.id for game in games}) == 1
    assert len(await rows_of(database.sessions, games[0], REMINDER)) == 2


async def test_a_crash_before_the_commit_leaves_nothing(database: Database) -> None:
    game = await new_game(database.sessions)
    try:
        async with db.transaction(database.sessions) as session:
            await cancel_game(session, game.id)
            raise RuntimeError("crash")
    except RuntimeError:
        pass
    assert all(row.settled_at is None for row in await rows_of(database.sessions, game))


async def transitions(database: Database, game: Game) -> dict[GameStatus, object]:
    statement = select(GameStatusSchedule).where(
        GameStatusSchedule.game_id == game.id, GameStatusSchedule.settled_at.is_(None)
    )
    async with db.transaction(database.sessions) as session:
        return {row.target_status: row.due_at for row in (await session.execute(statement)).scalars()}


async def test_rows_that_wait_for_the_same_channel_become_due_together(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "ATTEMPT_ROUNDING_SECONDS", 3600.0)
    game = await new_game(database.sessions, starts_in=timedelta(hours=9), offsets=(60, 30, 10))
    reminders = await rows_of(database.sessions, game, NotificationKind.REMINDER)
    async with db.transaction(database.sessions) as session:
        now = await db.now(session)
        middle = 1800 + (3600 - now.timestamp() % 3600)
        for row, earlier in zip(reminders, (3.0, 0.0, 1.5), strict=True):
            await settle.try_again(session, NotificationSchedule, row.id, seconds=middle - earlier)
    held = {row.attempt_at for row in await rows_of(database.sessions, game, NotificationKind.REMINDER)}
    [together] = held
    assert together is not None
    assert together.timestamp() % 3600 == 0
    assert together >= now + timedelta(seconds=middle - 3.0)


async def test_a_failed_notice_is_recorded_while_its_game_changes(database: Database) -> None:
    game = await new_game(database.sessions)
    [row] = await rows_of(database.sessions, game, NotificationKind.ANNOUNCEMENT)

    async def change() -> None:
        async with db.transaction(database.sessions) as changing:
            await refresh_announcement(changing, await lock_game(changing, game.id))

    async with asyncio.TaskGroup() as tasks, db.transaction(database.sessions) as recording:
        await settle.try_again(recording, NotificationSchedule, row.id, seconds=1.0)
        tasks.create_task(change())
        await eventually(lambda: is_anyone_blocked(database.sessions))
        # A row's second update in a transaction checks its foreign key again, which locks the game's key.
        await settle.record_failure(recording, NotificationSchedule, row.id, backoff=Backoff(1.0, 1.0), error="refused")
