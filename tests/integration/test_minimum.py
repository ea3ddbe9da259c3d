"""The question about a minimum of players is one row, which follows from the game and moves with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from shared import database as db
from shared.games import cancel_game
from shared.models import Game, NotificationKind, NotificationSchedule, Outcome
from tests.support.builders import change_game, new_game, rows_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change

MINIMUM = NotificationKind.MINIMUM
DAY = timedelta(days=1)


async def questions(database: Database, game: Game) -> list[NotificationSchedule]:
    return await rows_of(database.sessions, game, MINIMUM)


async def announced_later(database: Database, before: timedelta, **fields: Any) -> Game:
    """A game a week ahead that is announced `before` its start."""
    async with db.transaction(database.sessions) as session:
        start = await db.now(session) + 7 * DAY
    announce_at = start - before if before > timedelta(0) else None
    return await new_game(database.sessions, scheduled_at=start, announce_at=announce_at, **fields)


async def counted_before(database: Database, game: Game) -> timedelta:
    """How long before the start the players are counted, according to the only open row."""
    [row] = [row for row in await questions(database, game) if row.outcome is None]
    assert row.game_scheduled_at == game.scheduled_at
    return game.scheduled_at - row.due_at


@pytest.mark.parametrize(
    ("starts_in", "minutes", "before"),
    [(3 * DAY, None, DAY), (3 * DAY, 120, timedelta(hours=2)), (DAY / 2, None, DAY / 4), (DAY / 2, 3000, DAY / 4)],
)
async def test_it_is_due_a_day_before_or_as_the_host_says_or_halfway(
    database: Database, starts_in: timedelta, minutes: int | None, before: timedelta
) -> None:
    game = await new_game(database.sessions, starts_in=starts_in, minimum_players=3, minimum_minutes=minutes)
    [row] = await questions(database, game)
    assert abs(game.scheduled_at - row.due_at - before) < timedelta(seconds=5)
    assert row.user_id == game.host_id


async def test_a_game_without_a_minimum_has_none_until_it_gets_one(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=3 * DAY)
    assert await questions(database, game) == []
    await change_game(database.sessions, game, minimum_players=2)
    [row] = await questions(database, game)
    await change_game(database.sessions, game, minimum_players=0)
    [row] = await questions(database, game)
    assert row.outcome is Outcome.SUPERSEDED


async def test_the_time_to_count_is_removed_with_the_minimum(database: Database) -> None:
    """A game without a minimum would be copied with a time to count that no form accepts."""
    game = await new_game(database.sessions, starts_in=3 * DAY, minimum_players=3, minimum_minutes=120)
    assert (await change_game(database.sessions, game, minimum_players=0)).minimum_minutes is None


async def test_it_moves_with_the_game_and_is_the_same_when_it_moves_back(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=3 * DAY, minimum_players=2)
    [row] = await questions(database, game)
    moved = await change_game(database.sessions, game, scheduled_at=game.scheduled_at + DAY)
    first, second = await questions(database, game)
    assert (first.id, first.outcome) == (row.id, Outcome.SUPERSEDED)
    assert (second.due_at, second.game_version) == (moved.scheduled_at - DAY, moved.version)
    back = await change_game(database.sessions, game, scheduled_at=game.scheduled_at)
    first, second = await questions(database, game)
    assert (first.id, first.outcome, first.game_version) == (row.id, None, back.version)
    assert second.outcome is Outcome.SUPERSEDED


async def test_a_cancelled_game_has_none(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=3 * DAY, minimum_players=2)
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    assert [row.outcome for row in await questions(database, game)] == [Outcome.SUPERSEDED]


@pytest.mark.parametrize(
    ("announced", "minutes", "before"),
    [
        (DAY / 2, None, DAY / 4),
        (DAY / 2, 720, DAY / 4),
        (DAY / 2, 719, timedelta(minutes=719)),
        (2 * DAY, None, DAY),
        (-DAY, None, DAY),
    ],
    ids=["default", "at once", "just after", "long after", "never"],
)
async def test_players_are_counted_after_a_planned_announcement(
    database: Database, announced: timedelta, minutes: int | None, before: timedelta
) -> None:
    """At the planned time, nobody can have joined a game that is not announced yet."""
    game = await announced_later(database, announced, minimum_players=3, minimum_minutes=minutes)
    assert await counted_before(database, game) == before


async def test_it_stays_after_a_planned_announcement_when_the_game_changes(database: Database) -> None:
    game = await announced_later(database, DAY / 2)
    game = await change_game(database.sessions, game, minimum_players=3)
    assert await counted_before(database, game) == DAY / 4
    game = await change_game(database.sessions, game, minimum_minutes=60)
    assert await counted_before(database, game) == timedelta(hours=1)
    game = await change_game(database.sessions, game, minimum_minutes=900)
    assert await counted_before(database, game) == DAY / 4
    start = game.scheduled_at
    game = await change_game(database.sessions, game, scheduled_at=start - DAY / 4)
    assert await counted_before(database, game) == DAY / 8
    game = await change_game(database.sessions, game, scheduled_at=start + DAY)
    assert await counted_before(database, game) == timedelta(minutes=900)
    await change_game(database.sessions, game, scheduled_at=start)
    game = await change_game(database.sessions, game, title="The Dry Keep")
    assert await counted_before(database, game) == DAY / 4


async def test_a_game_that_moves_before_its_announcement_is_counted_as_planned(database: Database) -> None:
    game = await announced_later(database, DAY / 2, minimum_players=3)
    game = await change_game(database.sessions, game, scheduled_at=game.scheduled_at - DAY)
    assert await counted_before(database, game) == DAY


async def test_the_time_to_count_stays_once_the_game_is_announced(database: Database) -> None:
    game = await announced_later(database, DAY / 2, minimum_players=3)
    earlier = timedelta(days=6.6)  # between the announcement and the count
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(Game).values(scheduled_at=Game.scheduled_at - earlier))
        columns = (NotificationSchedule.due_at, NotificationSchedule.attempt_at, NotificationSchedule.game_scheduled_at)
        await session.execute(update(NotificationSchedule).values({column: column - earlier for column in columns}))
    [row] = await questions(database, game)
    game = await change_game(database.sessions, game, title="The Dry Keep")
    [kept] = await questions(database, game)
    assert (kept.id, kept.due_at, kept.outcome) == (row.id, row.due_at, None)


EDITS = st.one_of(
    st.builds(lambda number: {"minimum_players": number}, st.integers(0, 3)),
    st.builds(lambda hours: {"minimum_minutes": hours * 60}, st.sampled_from([1, 6, 24, 72])),
    st.builds(lambda hours: {"moved_by": timedelta(hours=hours)}, st.sampled_from([-30, -5, 0, 5, 30])),
    st.just({"title": "The Dry Keep"}),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(starts=st.sampled_from([8, 40, 100]), edits=st.lists(EDITS, max_size=6))
async def test_whatever_changes_it_has_one_open_row_if_it_needs_players_else_none(
    database: Database, starts: int, edits: list[dict[str, object]]
) -> None:
    game = await new_game(database.sessions, starts_in=timedelta(hours=starts), minimum_players=2)
    start = game.scheduled_at
    for number, change in enumerate(edits):
        moved_by = change.get("moved_by")
        if isinstance(moved_by, timedelta):
            change = {"scheduled_at": start + max(moved_by, timedelta(hours=2 - starts))}
        game = await change_game(
            database.sessions, game, title=f"Keep {number}", **{k: v for k, v in change.items() if k != "title"}
        )
        rows = [row for row in await questions(database, game) if row.outcome is None]
        assert len(rows) == (game.minimum_players is not None)
        for row in rows:
            assert (row.game_scheduled_at, row.game_version) == (game.scheduled_at, game.version)
            assert row.created_at <= row.due_at < game.scheduled_at
            planned = game.scheduled_at - timedelta(minutes=game.minimum_minutes or 1440)
            async with db.transaction(database.sessions) as session:
                now = await db.now(session)
            assert row.due_at == planned or planned <= now
