"""The games of a series on a real database: one for each date, whatever happens at once or breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, func, select, text, update

from bot.consumers.transitions import apply_transitions
from bot.delivery.batch import LOCKED
from shared import database as db
from shared.audit import list_game_entries
from shared.co_hosts import add_co_host, list_co_hosts
from shared.database import Sessions
from shared.editing import EditResult, GameEdit, edit_game
from shared.games import cancel_game
from shared.models import (
    ExceptionKind,
    Game,
    GameSeries,
    GameStatus,
    GameStatusSchedule,
    NotificationKind,
    SeriesException,
    SeriesState,
)
from shared.series.editing import SeriesEdit, edit_series
from shared.series.lifecycle import (
    SkipResult,
    end_series,
    list_next,
    list_next_of_many,
    pause_series,
    resume_series,
    skip_occurrence,
    start_series,
)
from shared.series.planning import resolve
from shared.series.rule import Frequency, Rule
from shared.signup import join_game, list_players, list_waitlist
from tests.support.builders import new_game, rows_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change

BERLIN = ZoneInfo("Europe/Berlin")
DAILY = Rule(frequency=Frequency.DAILY)


async def new_series(
    sessions: Sessions,
    rule: Rule = DAILY,
    *,
    players: Sequence[int] = (),
    settings: dict[str, Any] | None = None,
    **fields: Any,
) -> tuple[GameSeries, Game]:
    """Create a series whose first game starts today or tomorrow at a full hour in Berlin."""
    start = (datetime.now(BERLIN) + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    if not 4 <= start.hour < 20:  # far from every change of the clocks, and from midnight
        start = start.replace(hour=12) + timedelta(days=1 if start.hour >= 20 else 0)
    game = await new_game(sessions, scheduled_at=resolve(start, BERLIN), **fields)
    async with db.transaction(sessions) as session:
        created = await session.get_one(Game, game.id)
        series = await start_series(session, created, rule)
        for name, value in (settings or {}).items():
            setattr(series, name, value)
        for player in players:
            await join_game(session, game.id, user_id=player)
    return series, created


async def games_of(sessions: Sessions, series: GameSeries) -> list[Game]:
    async with db.transaction(sessions) as session:
        statement = select(Game).where(Game.series_id == series.id).order_by(Game.occurrence)
        return list(await session.scalars(statement))


async def open_games(sessions: Sessions, series: GameSeries) -> list[Game]:
    return [game for game in await games_of(sessions, series) if not game.status.is_final]


async def read_series(sessions: Sessions, series: GameSeries) -> GameSeries:
    async with db.transaction(sessions) as session:
        return await session.get_one(GameSeries, series.id)


async def exceptions_of(sessions: Sessions, series: GameSeries) -> dict[datetime, ExceptionKind]:
    async with db.transaction(sessions) as session:
        rows = await session.scalars(select(SeriesException).where(SeriesException.series_id == series.id))
        return {row.occurrence: row.kind for row in rows}


async def make_over(sessions: Sessions, *games: Game) -> list[UUID]:
    """Make the ends of games due, and return their rows."""
    async with db.transaction(sessions) as session:
        await allow_any_change(session)
        rows = GameStatusSchedule
        in_games = rows.game_id.in_([game.id for game in games])
        is_end = (in_games, rows.target_status == GameStatus.COMPLETED, rows.settled_at.is_(None))
        moment = await db.now(session)
        await session.execute(update(rows).where(*is_end).values(due_at=moment, attempt_at=moment))
        return list(await session.scalars(select(rows.id).where(*is_end)))


async def complete(sessions: Sessions, *games: Game) -> list[object]:
    ids = await make_over(sessions, *games)
    async with db.transaction(sessions) as session:
        return list(await apply_transitions(session, ids, wait=True))


async def cancel(sessions: Sessions, game: Game) -> bool:
    async with db.transaction(sessions) as session:
        return await cancel_game(session, game.id)


async def shift_into_past(sessions: Sessions, series: GameSeries, *, days: int) -> None:
    """Let a series and its games be older, as if nothing had happened in that time."""
    async with db.transaction(sessions) as session:
        await allow_any_change(session)
        shift = {"id": series.id, "by": timedelta(days=days)}
        for table, key, columns in (
            ("game_series", "id", ("local_start", "planned_until")),
            ("game", "series_id", ("occurrence", "local_time", "scheduled_at")),
        ):
            changes = ", ".join(f"{name} = {name} - CAST(:by AS interval)" for name in columns)
            await session.execute(text(f"UPDATE {table} SET {changes} WHERE {key} = :id"), shift)


async def test_the_next_game_is_made_when_one_is_completed(database: Database) -> None:
    series, first = await new_series(database.sessions, capacity=4, description="Bring dice.", players=[1, 2])
    assert await complete(database.sessions, first) == [True]
    [over, following] = await games_of(database.sessions, series)
    assert (over.status, following.status) == (GameStatus.COMPLETED, GameStatus.SCHEDULED)
    assert first.occurrence is not None
    assert following.occurrence == first.occurrence + timedelta(days=1)
    assert following.scheduled_at == resolve(following.occurrence, BERLIN)
    for name in ("guild_id", "channel_id", "host_id", "title", "description", "capacity", "duration", "zone"):
        assert getattr(following, name) == getattr(first, name)
    assert following.reminder_offsets == first.reminder_offsets
    rows = await rows_of(database.sessions, following)
    kinds = [NotificationKind.ANNOUNCEMENT, NotificationKind.REMINDER, NotificationKind.REMINDER]
    assert [row.kind for row in rows] == kinds
    assert [row.due_at for row in rows[1:]] == [following.scheduled_at - timedelta(minutes=n) for n in (60, 10)]
    async with db.transaction(database.sessions) as session:
        assert await list_players(session, following.id) == []
        statement = select(GameStatusSchedule.target_status, GameStatusSchedule.due_at)
        found = (await session.execute(statement.where(GameStatusSchedule.game_id == following.id))).all()
    assert dict(map(tuple, found)) == {
        GameStatus.IN_PROGRESS: following.scheduled_at,
        GameStatus.COMPLETED: following.ends_at,
    }


async def test_the_next_game_is_made_when_one_is_cancelled(database: Database) -> None:
    series, first = await new_series(database.sessions)
    assert await cancel(database.sessions, first)
    assert not await cancel(database.sessions, first)
    assert [game.status for game in await games_of(database.sessions, series)] == [
        GameStatus.CANCELLED,
        GameStatus.SCHEDULED,
    ]


async def test_a_start_does_not_make_the_next_game(database: Database) -> None:
    series, first = await new_series(database.sessions)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        rows = GameStatusSchedule
        is_start = (rows.game_id == first.id, rows.target_status == GameStatus.IN_PROGRESS)
        [id_] = await session.scalars(select(rows.id).where(*is_start))
        moment = await db.now(session)
        await session.execute(update(rows).where(*is_start).values(due_at=moment, attempt_at=moment))
    async with db.transaction(database.sessions) as session:
        assert await apply_transitions(session, [id_]) == [True]
    assert [game.status for game in await games_of(database.sessions, series)] == [GameStatus.IN_PROGRESS]


async def test_of_completions_and_cancellations_at_once_each_date_is_made_once(database: Database) -> None:
    series, first = await new_series(database.sessions, settings={"open_ahead": 2})
    async with db.transaction(database.sessions) as session:
        await resume_series(session, series.id)
    [_, second] = await open_games(database.sessions, series)
    ids = await make_over(database.sessions, first, second)

    async def end(which: int) -> object:
        if which % 3 == 2:
            return await cancel(database.sessions, first if which % 2 else second)
        async with db.transaction(database.sessions) as session:
            return await apply_transitions(session, ids if which % 2 else ids[::-1], wait=True)

    await asyncio.gather(*(end(which) for which in range(8)))
    games = await games_of(database.sessions, series)
    assert [game.occurrence for game in games] == sorted({game.occurrence for game in games if game.occurrence})
    assert [game.status.is_final for game in games] == [True, True, False, False]


async def test_many_series_end_in_one_batch_with_as_few_statements_as_one(database: Database) -> None:
    statements: list[int] = []

    def count(*_args: object) -> None:
        statements[-1] += 1

    for number in (1, 12):
        made = [await new_series(database.sessions) for _ in range(number)]
        ids = await make_over(database.sessions, *(game for _, game in made))
        statements.append(0)
        event.listen(database.engine.sync_engine, "before_cursor_execute", count)
        async with db.transaction(database.sessions) as session:
            assert await apply_transitions(session, ids) == [True] * number
        event.remove(database.engine.sync_engine, "before_cursor_execute", count)
        for series, _ in made:
            assert len(await open_games(database.sessions, series)) == 1
    assert statements[0] == statements[1]


async def test_the_next_dates_of_many_series_take_as_few_statements_as_those_of_one(database: Database) -> None:
    made = [(await new_series(database.sessions))[0] for _ in range(12)]
    statements: list[int] = []

    def count(*_args: object) -> None:
        statements[-1] += 1

    for asked in (made[:1], made):
        statements.append(0)
        event.listen(database.engine.sync_engine, "before_cursor_execute", count)
        async with db.transaction(database.sessions) as session:
            dates = await list_next_of_many(session, asked, limit=2)
            single = await list_next(session, asked[0], limit=2)
        event.remove(database.engine.sync_engine, "before_cursor_execute", count)
        assert list(dates[asked[0].id]) == list(single)
        assert [len(found) for found in dates.values()] == [2] * len(asked)
    assert statements[0] == statements[1]


async def test_two_games_of_one_series_that_end_in_one_batch_make_two(database: Database) -> None:
    series, first = await new_series(database.sessions, settings={"open_ahead": 2})
    async with db.transaction(database.sessions) as session:
        await resume_series(session, series.id)
    assert await complete(database.sessions, *await open_games(database.sessions, series)) == [True, True]
    games = await games_of(database.sessions, series)
    assert first.occurrence is not None
    assert [game.occurrence for game in games] == [first.occurrence + timedelta(days=n) for n in range(4)]


async def test_a_crash_before_the_commit_leaves_the_game_open_and_makes_nothing(database: Database) -> None:
    series, first = await new_series(database.sessions)
    ids = await make_over(database.sessions, first)
    for end in ("complete", "cancel"):
        with pytest.raises(RuntimeError):
            async with db.transaction(database.sessions) as session:
                if end == "complete":
                    await apply_transitions(session, ids)
                else:
                    await cancel_game(session, first.id)
                raise RuntimeError("crash")
        assert [game.status for game in await games_of(database.sessions, series)] == [GameStatus.SCHEDULED]
        assert (await read_series(database.sessions, series)).planned_until == first.occurrence
    async with db.transaction(database.sessions) as session:
        assert await apply_transitions(session, ids) == [True]
    async with db.transaction(database.sessions) as session:
        assert await apply_transitions(session, ids) == [False]
    assert len(await games_of(database.sessions, series)) == 2


async def test_a_batch_leaves_out_a_series_that_somebody_changes(database: Database) -> None:
    (locked, one), (free, other) = [await new_series(database.sessions) for _ in range(2)]
    ids = {game.id: (await make_over(database.sessions, game))[0] for game in (one, other)}
    async with db.transaction(database.sessions) as changing:
        await changing.execute(select(GameSeries).where(GameSeries.id == locked.id).with_for_update(key_share=True))
        async with db.transaction(database.sessions) as session:
            assert await apply_transitions(session, [ids[one.id], ids[other.id]]) == [LOCKED, True]
    assert [len(await games_of(database.sessions, series)) for series in (locked, free)] == [1, 2]
    async with db.transaction(database.sessions) as session:
        assert await apply_transitions(session, [ids[one.id]]) == [True]
    assert len(await games_of(database.sessions, locked)) == 2


async def test_after_a_month_away_the_next_future_game_is_made_and_the_missed_are_recorded(database: Database) -> None:
    series, first = await new_series(database.sessions)
    await shift_into_past(database.sessions, series, days=30)
    await complete(database.sessions, first)
    [over, following] = await games_of(database.sessions, series)
    assert over.occurrence is not None and following.occurrence is not None
    missed = await exceptions_of(database.sessions, series)
    days = (following.occurrence - over.occurrence).days
    assert missed == {over.occurrence + timedelta(days=n): ExceptionKind.MISSED for n in range(1, days)}
    assert len(missed) == 29
    assert datetime.now(UTC) < following.scheduled_at <= datetime.now(UTC) + timedelta(days=1)


async def test_a_series_ends_with_the_last_date_of_its_rule(database: Database) -> None:
    series, first = await new_series(database.sessions, replace(DAILY, count=2))
    await complete(database.sessions, first)
    assert (await read_series(database.sessions, series)).state is SeriesState.ACTIVE
    await complete(database.sessions, *await open_games(database.sessions, series))
    assert (await read_series(database.sessions, series)).state is SeriesState.ENDED
    assert len(await games_of(database.sessions, series)) == 2


async def test_a_game_that_is_moved_keeps_its_place(database: Database) -> None:
    series, first = await new_series(database.sessions)
    async with db.transaction(database.sessions) as session:
        later = first.scheduled_at + timedelta(hours=3)
        assert await edit_game(session, first.id, GameEdit(scheduled_at=later)) is EditResult.MOVED
    await complete(database.sessions, first)
    [moved, following] = await games_of(database.sessions, series)
    assert moved.occurrence == first.occurrence
    assert first.occurrence is not None
    assert following.occurrence == first.occurrence + timedelta(days=1)


@pytest.mark.parametrize("ends", ["completed", "cancelled"])
async def test_regulars_and_the_roster_have_seats_in_the_next_game(database: Database, ends: str) -> None:
    settings = {"carries_roster": True, "regulars": [7, 2]}
    series, first = await new_series(database.sessions, players=[1, 2, 3], capacity=4, settings=settings)
    async with db.transaction(database.sessions) as session:
        await add_co_host(session, first.id, user_id=8, actor_id=first.host_id)
    await (complete(database.sessions, first) if ends == "completed" else cancel(database.sessions, first))
    [following] = await open_games(database.sessions, series)
    async with db.transaction(database.sessions) as session:
        assert await list_players(session, following.id) == [7, 2, 1, 3]
        assert await list_co_hosts(session, following.id) == [8]
        assert [entry.action for entry in await list_game_entries(session, following.id, limit=9)] == ["created"]
    async with db.transaction(database.sessions) as session:
        series = await session.get_one(GameSeries, series.id)
        series.capacity, series.carries_roster = 1, False
    await cancel(database.sessions, following)
    [last] = await open_games(database.sessions, series)
    async with db.transaction(database.sessions) as session:
        assert await list_players(session, last.id) == [7]
        assert await list_waitlist(session, last.id) == [2]


async def test_skipping_the_next_game_cancels_it_and_makes_the_one_after(database: Database) -> None:
    series, first = await new_series(database.sessions, players=[1])
    assert first.occurrence is not None
    async with db.transaction(database.sessions) as session:
        assert await skip_occurrence(session, series.id) is SkipResult.CANCELLED
    [skipped, following] = await games_of(database.sessions, series)
    assert (skipped.status, following.status) == (GameStatus.CANCELLED, GameStatus.SCHEDULED)
    kinds = {row.kind for row in await rows_of(database.sessions, skipped)}
    assert NotificationKind.CANCELLATION in kinds
    assert await exceptions_of(database.sessions, series) == {first.occurrence: ExceptionKind.SKIPPED}


async def test_a_later_date_that_is_skipped_gets_no_game(database: Database) -> None:
    series, first = await new_series(database.sessions)
    assert first.occurrence is not None
    day = timedelta(days=1)
    async with db.transaction(database.sessions) as session:
        results = [
            await skip_occurrence(session, series.id, first.occurrence + shift)
            for shift in (day, day, day + timedelta(hours=1), -day)
        ]
    assert results == [
        SkipResult.LEFT_OUT,
        SkipResult.ALREADY_LEFT_OUT,
        SkipResult.NO_SUCH_DATE,
        SkipResult.NO_SUCH_DATE,
    ]
    async with db.transaction(database.sessions) as session:
        upcoming = await list_next(session, await session.get_one(GameSeries, series.id), limit=3)
    assert list(upcoming) == [first.occurrence + shift * day for shift in (0, 2, 3)]
    await complete(database.sessions, first)
    [following] = await open_games(database.sessions, series)
    assert following.occurrence == first.occurrence + 2 * day


async def test_a_paused_series_makes_no_game_until_it_is_resumed(database: Database) -> None:
    series, first = await new_series(database.sessions)
    async with db.transaction(database.sessions) as session:
        assert [await pause_series(session, series.id) for _ in range(2)] == [True, False]
    await complete(database.sessions, first)
    assert await open_games(database.sessions, series) == []
    await shift_into_past(database.sessions, series, days=5)
    async with db.transaction(database.sessions) as session:
        is_active, [made] = await resume_series(session, series.id)
    assert is_active
    assert made.scheduled_at > datetime.now(UTC)
    assert set((await exceptions_of(database.sessions, series)).values()) == {ExceptionKind.SKIPPED}
    async with db.transaction(database.sessions) as session:
        assert await resume_series(session, series.id) == (True, [])


async def test_an_ended_series_keeps_its_open_game_and_can_be_revived(database: Database) -> None:
    series, first = await new_series(database.sessions)
    async with db.transaction(database.sessions) as session:
        assert [await end_series(session, series.id) for _ in range(2)] == [True, False]
    assert [game.id for game in await open_games(database.sessions, series)] == [first.id]
    await complete(database.sessions, first)
    assert await open_games(database.sessions, series) == []
    async with db.transaction(database.sessions) as session:
        is_active, made = await resume_series(session, series.id)
    assert is_active and len(made) == 1


async def test_a_series_without_dates_left_cannot_be_revived(database: Database) -> None:
    series, first = await new_series(database.sessions, replace(DAILY, count=1))
    await complete(database.sessions, first)
    async with db.transaction(database.sessions) as session:
        assert await resume_series(session, series.id) == (False, [])
    assert (await read_series(database.sessions, series)).state is SeriesState.ENDED


async def test_an_edit_changes_all_games_from_now_on(database: Database) -> None:
    series, first = await new_series(database.sessions, players=[1, 2])
    assert first.occurrence is not None
    clock = time(first.occurrence.hour + 1, 30)
    edit = SeriesEdit(title="Tomb of Horrors", capacity=5, reminder_offsets=(30,), clock=clock, open_ahead=2)
    async with db.transaction(database.sessions) as session:
        assert await edit_series(session, series.id, edit) is EditResult.CHANGED
    games = await open_games(database.sessions, series)
    dates = [datetime.combine(first.occurrence.date() + timedelta(days=n), clock) for n in range(2)]
    assert [game.occurrence for game in games] == dates
    assert [game.scheduled_at for game in games] == [resolve(local, BERLIN) for local in dates]
    assert {(game.title, game.capacity, *game.reminder_offsets) for game in games} == {("Tomb of Horrors", 5, 30)}
    kinds = [row.kind for row in await rows_of(database.sessions, games[0])]
    assert kinds.count(NotificationKind.CHANGE) == 1
    await complete(database.sessions, games[0])
    assert (await open_games(database.sessions, series))[-1].occurrence == dates[1] + timedelta(days=1)


async def test_an_edit_does_not_move_a_game_that_was_moved(database: Database) -> None:
    series, first = await new_series(database.sessions)
    assert first.occurrence is not None
    later = first.scheduled_at + timedelta(days=2)
    async with db.transaction(database.sessions) as session:
        await edit_game(session, first.id, GameEdit(scheduled_at=later))
    async with db.transaction(database.sessions) as session:
        await edit_series(session, series.id, SeriesEdit(clock=time(first.occurrence.hour + 1)))
    [game] = await open_games(database.sessions, series)
    assert game.scheduled_at == later


async def test_an_edit_is_refused_as_a_whole(database: Database) -> None:
    series, _first = await new_series(database.sessions, players=[1, 2, 3])
    async with db.transaction(database.sessions) as session:
        result = await edit_series(session, series.id, SeriesEdit(title="Tomb of Horrors", capacity=2))
        assert result is EditResult.TOO_FEW_SEATS
        await session.rollback()
    assert (await read_series(database.sessions, series)).title == "The Sunken Keep"


async def test_a_new_rule_counts_from_the_open_game_that_fits_it(database: Database) -> None:
    series, first = await new_series(database.sessions)
    assert first.occurrence is not None
    rule = Rule(frequency=Frequency.WEEKLY, weekdays=(first.occurrence.weekday(),), count=2)
    async with db.transaction(database.sessions) as session:
        await edit_series(session, series.id, SeriesEdit(rule=rule))
    await complete(database.sessions, first)
    [following] = await open_games(database.sessions, series)
    assert following.occurrence == first.occurrence + timedelta(weeks=1)
    assert following.series_rule == str(rule)
    await complete(database.sessions, following)
    assert (await read_series(database.sessions, series)).state is SeriesState.ENDED


async def test_a_new_rule_that_the_open_game_does_not_fit_follows_it(database: Database) -> None:
    series, first = await new_series(database.sessions)
    assert first.occurrence is not None
    weekday = (first.occurrence.weekday() + 3) % 7
    rule = Rule(frequency=Frequency.WEEKLY, weekdays=(weekday,))
    async with db.transaction(database.sessions) as session:
        await edit_series(session, series.id, SeriesEdit(rule=rule))
    [kept] = await open_games(database.sessions, series)
    assert (kept.occurrence, kept.series_rule) == (first.occurrence, str(rule))
    await complete(database.sessions, first)
    [following] = await open_games(database.sessions, series)
    assert following.occurrence == first.occurrence + timedelta(days=3)


async def test_an_occurrence_exists_once_whoever_makes_it(database: Database) -> None:
    _series, first = await new_series(database.sessions)
    async with db.transaction(database.sessions) as session:
        before = await session.scalar(select(func.count()).select_from(Game))
    columns = "guild_id, channel_id, host_id, title, scheduled_at, zone, local_time, duration, series_id, occurrence"
    with pytest.raises(Exception, match="uq_game_occurrence"):
        async with db.transaction(database.sessions) as session:
            await session.execute(
                text(f"INSERT INTO game (id, {columns}) SELECT gen_random_uuid(), {columns} FROM game WHERE id = :id"),
                {"id": first.id},
            )
    async with db.transaction(database.sessions) as session:
        assert await session.scalar(select(func.count()).select_from(Game)) == before
