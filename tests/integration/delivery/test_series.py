"""A game of a series that ends is followed by the next one, which is announced and reminded of once."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from shared import database as db
from shared.audit import list_series_entries
from shared.games import cancel_game
from shared.messaging.envelope import StatusTransitionDue
from shared.models import (
    AuditAction,
    Game,
    GameSeries,
    GameStatus,
    GameStatusSchedule,
    NotificationKind,
    Outcome,
    PauseReason,
    SeriesState,
)
from shared.schedule.notices import refresh_announcement
from shared.schedule.populate import lock_game
from shared.series.lifecycle import start_series
from shared.series.rule import Frequency, Rule
from tests.integration.delivery.conftest import Bot
from tests.support.builders import make_due_now


async def test_players_who_stay_are_reminded_of_the_next_game_once(bot: Bot) -> None:
    host = bot.discord.world.user("Priya").id
    game = await bot.game(("Mia", "Jonas"), host_id=host)
    async with db.transaction(bot.database.sessions) as session:
        series = await start_series(session, await session.get_one(Game, game.id), Rule(frequency=Frequency.DAILY))
        series.carries_roster = True
        statement = select(GameStatusSchedule).where(GameStatusSchedule.target_status == GameStatus.COMPLETED)
        end = (await session.scalars(statement)).one()
    await make_due_now(bot.database.sessions, end)
    over = StatusTransitionDue(row_id=end.id, game_id=game.id, target_status=GameStatus.COMPLETED)
    await asyncio.gather(bot.handle(over), bot.handle(over))
    await bot.handle(over)
    async with db.transaction(bot.database.sessions) as session:
        others = select(Game).where(Game.series_id == series.id, Game.id != game.id)
        following = (await session.scalars(others)).one()
    assert await bot.deliver_until_settled(await bot.row(following, NotificationKind.ANNOUNCEMENT)) is Outcome.DELIVERED
    [announcement] = [record for record in bot.discord.evidence if record.kind == "create" and record.embeds]
    assert "🔁 Every day" in str(announcement.embeds)
    reminder = await bot.row(following)
    assert await bot.deliver_until_settled(reminder) is Outcome.DELIVERED
    await bot.deliver(reminder)
    [message] = bot.sent()
    assert set(message.pinged_users) == {*(bot.discord.world.user(name).id for name in ("Mia", "Jonas")), host}


async def series_of(bot: Bot, game: Game) -> GameSeries:
    """Make a game the first one of a series that repeats each day."""
    async with db.transaction(bot.database.sessions) as session:
        return await start_series(session, await session.get_one(Game, game.id), Rule(frequency=Frequency.DAILY))


async def read_series(bot: Bot, series: GameSeries) -> GameSeries:
    async with db.transaction(bot.database.sessions) as session:
        return await session.get_one(GameSeries, series.id)


@pytest.mark.parametrize("is_announced", [False, True])
async def test_a_series_whose_channel_was_deleted_is_paused_once(bot: Bot, *, is_announced: bool) -> None:
    game = await bot.game(("Mia", "Jonas"))
    series = await series_of(bot, game)
    other = await series_of(bot, await bot.game(("Mia",), channel=bot.discord.world.channel("announcements").id))
    announcement = await bot.row(game, NotificationKind.ANNOUNCEMENT)
    if is_announced:
        assert await bot.deliver_until_settled(announcement) is Outcome.DELIVERED
        async with db.transaction(bot.database.sessions) as session:
            await refresh_announcement(session, await lock_game(session, game.id))
        announcement = await bot.row(game, NotificationKind.ANNOUNCEMENT)
    bot.discord.world.delete_channel(game.channel_id)
    for row in (announcement, await bot.row(game)):
        await bot.deliver(row)
        assert await bot.outcome(row) is Outcome.UNDELIVERABLE
    after = await read_series(bot, series)
    assert (after.state, after.pause_reason) == (SeriesState.PAUSED, PauseReason.CHANNEL_DELETED)
    assert (await read_series(bot, other)).state is SeriesState.ACTIVE
    async with db.transaction(bot.database.sessions) as session:
        assert await cancel_game(session, game.id)
        assert len((await session.scalars(select(Game).where(Game.series_id == series.id))).all()) == 1
        paused, _started = await list_series_entries(session, series.id, limit=5)
    changed = {"pause_reason": [None, "channel deleted"]}
    assert paused[:3] == (None, AuditAction.SERIES_PAUSED, {"changed": changed})
