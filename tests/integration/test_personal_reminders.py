"""The rows of one player's own reminders, in a real database, also while the player joins and changes settings."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from bot.consumers.transitions import apply_transitions
from bot.delivery.batch import LOCKED
from shared import database as db
from shared.editing import GameEdit, edit_game
from shared.errors import TransientError
from shared.games import cancel_game
from shared.models import Game, GameSeries, GameStatusSchedule, NotificationKind, NotificationSchedule, Outcome
from shared.schedule.personal import lock_settings, snooze_reminder
from shared.schedule.populate import lock_game
from shared.signup import JoinResult, join_game, leave_game
from shared.users import change_own_settings
from tests.integration.test_series import make_over, new_series, open_games
from tests.support.builders import HOST, new_game, rows_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change

PERSONAL = NotificationKind.PERSONAL_REMINDER
PLAYER, OTHER = 11, 12


async def change(database: Database, user: int = PLAYER, **changes: Any) -> None:
    async with db.transaction(database.sessions) as session:
        await change_own_settings(session, user, **changes)


async def edit(database: Database, game: Game, **changes: Any) -> None:
    async with db.transaction(database.sessions) as session:
        await edit_game(session, game.id, GameEdit(**changes))


async def join(database: Database, game: Game, user: int = PLAYER) -> JoinResult:
    async with db.transaction(database.sessions) as session:
        return await join_game(session, game.id, user_id=user)


async def leave(database: Database, game: Game, user: int = PLAYER) -> None:
    async with db.transaction(database.sessions) as session:
        await leave_game(session, game.id, user_id=user)


async def snooze(database: Database, game: Game, minutes: float, user: int = PLAYER) -> Any:
    async with db.transaction(database.sessions) as session:
        locked = await lock_game(session, game.id)
        return await snooze_reminder(session, locked, user_id=user, delay=timedelta(minutes=minutes))


async def personal(database: Database, game: Game) -> list[NotificationSchedule]:
    return await rows_of(database.sessions, game, PERSONAL)


async def open_offsets(database: Database, game: Game) -> list[tuple[int | None, float]]:
    """Whom the open rows are for, and how many minutes before the start they are due."""
    rows = [row for row in await personal(database, game) if row.outcome is None]
    return [(row.user_id, (row.game_scheduled_at - row.due_at) / timedelta(minutes=1)) for row in rows]


@pytest.mark.parametrize("joins_first", [True, False])
async def test_joining_and_the_setting_give_one_extra_reminder_in_either_order(
    database: Database, joins_first: bool
) -> None:
    game = await new_game(database.sessions, starts_in=timedelta(hours=5))
    steps = [lambda: join(database, game), lambda: change(database, extra_offset_minutes=120)]
    for step in steps if joins_first else reversed(steps):
        await step()
    await join(database, game, OTHER)
    assert await open_offsets(database, game) == [(PLAYER, 120)]


async def test_the_host_gets_an_extra_reminder_too(database: Database) -> None:
    await change(database, HOST, extra_offset_minutes=120)
    game = await new_game(database.sessions, starts_in=timedelta(hours=5))
    assert await open_offsets(database, game) == [(HOST, 120)]
    await join(database, game, HOST)
    await leave(database, game, HOST)
    assert await open_offsets(database, game) == [(HOST, 120)]


async def test_no_extra_reminder_is_written_for_the_past_or_where_the_game_has_the_same(database: Database) -> None:
    await change(database, extra_offset_minutes=60)
    too_late = await new_game(database.sessions, starts_in=timedelta(minutes=30), players=(PLAYER,))
    same = await new_game(database.sessions, starts_in=timedelta(hours=5), offsets=(60,), players=(PLAYER,))
    assert (await personal(database, too_late), await personal(database, same)) == ([], [])
    await edit(database, same, reminder_offsets=(30,))
    assert await open_offsets(database, same) == [(PLAYER, 60)]
    await edit(database, same, reminder_offsets=(60, 30))
    assert await open_offsets(database, same) == []


async def test_another_offset_replaces_the_reminder_and_none_removes_it(database: Database) -> None:
    await change(database, extra_offset_minutes=120)
    game = await new_game(database.sessions, starts_in=timedelta(hours=5), players=(PLAYER,))
    await change(database, extra_offset_minutes=180)
    assert await open_offsets(database, game) == [(PLAYER, 180)]
    await change(database, extra_offset_minutes=None)
    assert await open_offsets(database, game) == []
    await change(database, extra_offset_minutes=120)
    assert await open_offsets(database, game) == [(PLAYER, 120)]
    assert len(await personal(database, game)) == 2  # the first one was reopened


async def test_a_player_who_leaves_and_comes_back_gets_the_same_row(database: Database) -> None:
    await change(database, extra_offset_minutes=120)
    game = await new_game(database.sessions, starts_in=timedelta(hours=5), players=(PLAYER, OTHER))
    await leave(database, game)
    [row] = await personal(database, game)
    assert row.outcome is Outcome.SUPERSEDED
    await join(database, game)
    [again] = await personal(database, game)
    assert (again.id, again.outcome) == (row.id, None)


async def test_a_promoted_player_gets_the_extra_reminder(database: Database) -> None:
    await change(database, extra_offset_minutes=120)
    game = await new_game(database.sessions, starts_in=timedelta(hours=5), capacity=1, players=(OTHER,))
    assert await join(database, game) is JoinResult.WAITLISTED
    assert await open_offsets(database, game) == []
    await leave(database, game, OTHER)
    assert await open_offsets(database, game) == [(PLAYER, 120)]


async def test_a_moved_game_moves_the_extra_reminder_and_drops_the_snoozed_one(database: Database) -> None:
    await change(database, extra_offset_minutes=120)
    game = await new_game(database.sessions, starts_in=timedelta(hours=5), players=(PLAYER,))
    await snooze(database, game, 15)
    later = game.scheduled_at + timedelta(hours=1)
    await edit(database, game, scheduled_at=later)
    [row] = [row for row in await personal(database, game) if row.outcome is None]
    assert (row.due_at, row.game_scheduled_at, row.game_version) == (later - timedelta(hours=2), later, 2)
    await edit(database, game, scheduled_at=game.scheduled_at)
    assert await open_offsets(database, game) == [(PLAYER, 120)]
    assert len(await personal(database, game)) == 3


async def test_a_row_of_another_start_at_the_same_due_time_is_reopened_for_the_new_start(database: Database) -> None:
    await change(database, extra_offset_minutes=60)
    game = await new_game(database.sessions, starts_in=timedelta(hours=5), offsets=(), players=(PLAYER,))
    await edit(database, game, scheduled_at=game.scheduled_at + timedelta(hours=1))
    await change(database, extra_offset_minutes=120)  # due when the first one was
    assert await open_offsets(database, game) == [(PLAYER, 120)]


async def test_a_cancelled_game_has_no_personal_reminders(database: Database) -> None:
    await change(database, extra_offset_minutes=120)
    game = await new_game(database.sessions, starts_in=timedelta(hours=5), players=(PLAYER,))
    await snooze(database, game, 15)
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    assert {row.outcome for row in await personal(database, game)} == {Outcome.SUPERSEDED}


async def test_turning_reminders_off_drops_them_and_on_brings_the_extra_one_back(database: Database) -> None:
    await change(database, extra_offset_minutes=120)
    games = [
        await new_game(database.sessions, starts_in=timedelta(hours=hours), players=(PLAYER, OTHER)) for hours in (4, 9)
    ]
    await snooze(database, games[0], 15)
    await snooze(database, games[0], 15, OTHER)
    await change(database, reminders_off=True)
    assert [user for user, _ in await open_offsets(database, games[0])] == [OTHER]
    assert await open_offsets(database, games[1]) == []
    await change(database, reminders_off=False)
    assert (PLAYER, 120) in await open_offsets(database, games[0])
    assert await open_offsets(database, games[1]) == [(PLAYER, 120)]


async def test_a_reminder_is_snoozed_once_and_never_past_the_start(database: Database) -> None:
    game = await new_game(database.sessions, starts_in=timedelta(minutes=50), players=(PLAYER,))
    first = await snooze(database, game, 15)
    assert await snooze(database, game, 15) == first
    assert len(await personal(database, game)) == 1
    assert await snooze(database, game, 60) is None
    assert await snooze(database, game, 30) > first
    assert len(await open_offsets(database, game)) == 1


async def test_two_presses_at_once_write_one_row(database: Database) -> None:
    game = await new_game(database.sessions, players=(PLAYER,))
    first, second = await asyncio.gather(*(snooze(database, game, 15) for _ in range(2)))
    assert first == second
    assert len(await personal(database, game)) == 1


async def test_joining_while_the_settings_change_is_repeated_and_misses_no_reminder(
    database: Database,
) -> None:
    game = await new_game(database.sessions, starts_in=timedelta(hours=5))
    async with db.transaction(database.sessions) as session:
        await lock_settings(session, PLAYER)
        with pytest.raises(TransientError, match="settings are changing"):
            await join(database, game)
        assert await join(database, game, OTHER) is JoinResult.JOINED

    async def retried() -> None:
        while True:
            try:
                await join(database, game)
            except TransientError:
                continue
            return

    await asyncio.gather(retried(), change(database, extra_offset_minutes=120))
    assert await open_offsets(database, game) == [(PLAYER, 120)]


async def test_many_games_follow_one_change_of_the_settings(database: Database) -> None:
    games = [
        await new_game(database.sessions, starts_in=timedelta(hours=5 + number), players=(PLAYER,))
        for number in range(12)
    ]
    await change(database, extra_offset_minutes=120)
    for game in games:
        assert await open_offsets(database, game) == [(PLAYER, 120)]


async def test_the_next_game_of_a_series_has_the_extra_reminders_of_its_regulars(database: Database) -> None:
    await change(database, extra_offset_minutes=120)
    series, first = await new_series(database.sessions, settings={"regulars": [PLAYER, OTHER]})
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, first.id)
    [following] = await open_games(database.sessions, series)
    assert await open_offsets(database, following) == [(PLAYER, 120)]


@pytest.mark.parametrize("who", ["host", "regular", "player"])
async def test_a_change_of_settings_delays_the_next_game_of_its_user_alone(database: Database, who: str) -> None:
    series, first = await new_series(database.sessions, settings={"regulars": [PLAYER]}, players=[OTHER])
    other, second = await new_series(database.sessions, host_id=HOST + 1)
    async with db.transaction(database.sessions) as session:
        (await session.get_one(GameSeries, series.id)).carries_roster = True
    ids = await make_over(database.sessions, first, second)
    async with db.transaction(database.sessions) as changing:
        await lock_settings(changing, {"host": HOST, "regular": PLAYER, "player": OTHER}[who])
        async with db.transaction(database.sessions) as session:
            row_of = {row.id: row.game_id for row in await session.scalars(select(GameStatusSchedule))}
            results = await apply_transitions(session, ids)
        assert {row_of[id_]: result for id_, result in zip(ids, results, strict=True)} == {
            first.id: LOCKED,
            second.id: True,
        }
        with pytest.raises(TransientError, match="settings are changing"):
            async with db.transaction(database.sessions) as session:
                await apply_transitions(session, ids, wait=True)
    assert len(await open_games(database.sessions, other)) == 1
    async with db.transaction(database.sessions) as session:
        assert True in await apply_transitions(session, ids)
    [following] = await open_games(database.sessions, series)
    assert following.id != first.id


async def test_a_snooze_that_ends_when_a_replaced_one_did_reopens_it(database: Database) -> None:
    game = await new_game(database.sessions, players=(PLAYER,))
    first = await snooze(database, game, 15)
    await snooze(database, game, 60)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        exact = await db.now(session) + timedelta(minutes=15)
        rows = NotificationSchedule
        await session.execute(update(rows).where(rows.due_at == first).values(due_at=exact))
        locked = await lock_game(session, game.id)
        await session.execute(text("CREATE SCHEMA fixed"))
        body = f"SELECT timestamptz '{exact - timedelta(minutes=15)}'"
        await session.execute(
            text(f"CREATE FUNCTION fixed.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ {body} $$")
        )
        await session.execute(text("SET LOCAL search_path = fixed, pg_catalog, public"))
        assert await snooze_reminder(session, locked, user_id=PLAYER, delay=timedelta(minutes=15)) == exact
    rows_now = {row.due_at: row.outcome for row in await personal(database, game)}
    assert rows_now[exact] is None
    assert len(rows_now) == 2
