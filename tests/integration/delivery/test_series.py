"""A game of a series that ends is followed by the next one, which is announced and reminded of once."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from shared import database as db
from shared.messaging.envelope import StatusTransitionDue
from shared.models import Game, GameStatus, GameStatusSchedule, NotificationKind, Outcome
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
