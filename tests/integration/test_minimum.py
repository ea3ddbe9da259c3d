"""The question about a minimum of players is one row, which follows from the game and moves with it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import database as db
from shared.games import cancel_game
from shared.models import Game, NotificationKind, NotificationSchedule, Outcome
from tests.support.builders import change_game, new_game, rows_of
from tests.support.database import Database

MINIMUM = NotificationKind.MINIMUM
DAY = timedelta(days=1)


async def questions(database: Database, game: Game) -> list[NotificationSchedule]:
    return await rows_of(database.sessions, game, MINIMUM)


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
