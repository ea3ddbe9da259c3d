"""The nudge is one row for each start of a game, which follows from the game and moves with it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from shared import database as db
from shared.errors import TransientError
from shared.games import cancel_game
from shared.models import (
    DeliveryState,
    Game,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    RecipientKind,
    delivery_id,
)
from shared.schedule.populate import lock_game
from shared.series.lifecycle import start_series
from shared.series.rule import Frequency, Rule
from tests.support.builders import change_game, new_game, rows_of
from tests.support.database import Database

NUDGE = NotificationKind.NUDGE
DAY = timedelta(days=1)


async def nudges(database: Database, game: Game) -> list[NotificationSchedule]:
    return await rows_of(database.sessions, game, NUDGE)


async def start_sending(database: Database, row: NotificationSchedule) -> None:
    """Leave a nudge as a bot does that dies after its request."""
    channel = (RecipientKind.CHANNEL, 901)
    async with db.transaction(database.sessions) as session:
        delivery = NotificationDelivery(
            id=delivery_id(row.id, *channel), notification_id=row.id, recipient_kind=channel[0], recipient_id=channel[1]
        )
        session.add(delivery)
        await session.flush()
        now = await db.now(session)
        delivery.state, delivery.attempts = DeliveryState.SENDING, 1
        delivery.first_sending_at, delivery.lease_until = now, now + timedelta(seconds=30)


async def test_it_is_due_when_the_host_says_and_has_no_recipient_yet(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=3 * DAY, nudge_minutes=1440)
    [row] = await nudges(database, game)
    assert (row.due_at, row.attempt_at, row.user_id) == (game.scheduled_at - DAY, game.scheduled_at - DAY, None)


async def test_a_game_whose_time_for_it_is_past_has_none(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=DAY / 2, nudge_minutes=1440)
    assert await nudges(database, game) == []


async def test_it_moves_with_the_game_and_is_the_same_when_it_moves_back(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=3 * DAY, nudge_minutes=1440)
    [row] = await nudges(database, game)
    moved = await change_game(database.sessions, game, scheduled_at=game.scheduled_at + DAY)
    first, second = await nudges(database, game)
    assert (first.id, first.outcome) == (row.id, Outcome.SUPERSEDED)
    assert (second.due_at, second.game_version) == (moved.scheduled_at - DAY, moved.version)
    back = await change_game(database.sessions, game, scheduled_at=game.scheduled_at)
    first, second = await nudges(database, game)
    assert (first.id, first.outcome, first.game_version) == (row.id, None, back.version)
    assert second.outcome is Outcome.SUPERSEDED
    await change_game(database.sessions, game, scheduled_at=game.scheduled_at - 2.5 * DAY)
    assert {row.outcome for row in await nudges(database, game)} == {Outcome.SUPERSEDED}


async def test_another_time_for_it_is_the_same_row(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=3 * DAY, nudge_minutes=1440)
    [row] = await nudges(database, game)
    await change_game(database.sessions, game, nudge_minutes=120)
    [later] = await nudges(database, game)
    assert (later.id, later.due_at, later.outcome) == (row.id, game.scheduled_at - timedelta(hours=2), None)
    await change_game(database.sessions, game, nudge_minutes=0)
    [none] = await nudges(database, game)
    assert none.outcome is Outcome.SUPERSEDED


async def test_a_cancelled_game_has_none(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=3 * DAY, nudge_minutes=1440)
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    assert [row.outcome for row in await nudges(database, game)] == [Outcome.SUPERSEDED]


async def test_the_games_of_a_series_have_it_too(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=3 * DAY, nudge_minutes=60, nudge_role_id=77)
    async with db.transaction(database.sessions) as session:
        await start_series(session, await lock_game(session, game.id), Rule(frequency=Frequency.DAILY))
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    async with db.transaction(database.sessions) as session:
        following = (await session.scalars(select(Game).where(Game.id != game.id))).one()
    assert (following.nudge_minutes, following.nudge_role_id) == (60, 77)
    [row] = await nudges(database, following)
    assert row.due_at == following.scheduled_at - timedelta(hours=1)


@pytest.mark.parametrize("change", ["moved", "another time", "cancelled"])
async def test_one_that_may_have_been_sent_is_left_to_the_bot(database: Database, change: str) -> None:
    game = await new_game(database.sessions, starts_in=3 * DAY, nudge_minutes=1440)
    [row] = await nudges(database, game)
    await start_sending(database, row)
    match change:
        case "moved":  # its host must try again later
            with pytest.raises(TransientError):
                await change_game(database.sessions, game, scheduled_at=game.scheduled_at + DAY)
        case "another time":
            await change_game(database.sessions, game, nudge_minutes=120)
        case _:
            async with db.transaction(database.sessions) as session:
                await cancel_game(session, game.id)
    [same] = await nudges(database, game)
    assert (same.id, same.outcome, same.due_at) == (row.id, None, row.due_at)


EDITS = st.one_of(
    st.builds(lambda hours: {"nudge_minutes": hours * 60}, st.sampled_from([0, 1, 6, 24, 72])),
    st.builds(lambda hours: {"moved_by": timedelta(hours=hours)}, st.sampled_from([-30, -5, 0, 5, 30])),
    st.just({"title": "The Dry Keep"}),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(starts=st.sampled_from([8, 40, 100]), edits=st.lists(EDITS, max_size=6))
async def test_whatever_changes_it_has_one_open_row_if_its_time_is_to_come_else_none(
    database: Database, starts: int, edits: list[dict[str, object]]
) -> None:
    game = await new_game(database.sessions, starts_in=timedelta(hours=starts), nudge_minutes=1440)
    start = game.scheduled_at
    for number, change in enumerate(edits):
        moved_by = change.get("moved_by")
        if isinstance(moved_by, timedelta):
            change = {"scheduled_at": start + max(moved_by, timedelta(hours=2 - starts))}
        game = await change_game(
            database.sessions, game, title=f"Keep {number}", **{k: v for k, v in change.items() if k != "title"}
        )
        rows = await nudges(database, game)
        assert len({row.game_scheduled_at for row in rows}) == len(rows)
        async with db.transaction(database.sessions) as session:
            now = await db.now(session)
        planned = None if game.nudge_minutes is None else game.scheduled_at - timedelta(minutes=game.nudge_minutes)
        wanted = [] if planned is None or planned <= now else [(planned, game.scheduled_at, game.version)]
        open_rows = [row for row in rows if row.outcome is None]
        assert [(row.due_at, row.game_scheduled_at, row.game_version) for row in open_rows] == wanted
