"""A fail-over to a standby that lags loses the last commits. What Discord accepted in them is not sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from sandbox.discord.faults.model import Refuse
from shared import database as db
from shared.games import cancel_game
from shared.models import NotificationKind, Outcome
from shared.signup import join_game, leave_game
from tests.integration.delivery.conftest import Bot
from tests.integration.delivery.test_direct_messages import channel_messages, dm_request, dms_to, request_dms

ANNOUNCEMENT = NotificationKind.ANNOUNCEMENT
CANCELLATION = NotificationKind.CANCELLATION


@asynccontextmanager
async def lost_commits(bot: Bot) -> AsyncIterator[None]:
    """Replace the database by its copy from before the block."""
    engine, postgres = bot.database.engine, bot.postgres
    name = urlsplit(bot.database.settings.url.get_secret_value()).path.removeprefix("/")
    standby = f"{name}_standby"
    await engine.dispose()  # a database with connections cannot be copied
    await postgres.create_database(standby, template=name)
    yield
    await engine.dispose()
    await postgres.drop_database(name)
    await postgres.create_database(name, template=standby)
    await postgres.drop_database(standby)


@pytest.mark.parametrize("kind", [NotificationKind.REMINDER, CANCELLATION])
async def test_a_message_whose_record_was_lost_is_not_sent_twice(bot: Bot, kind: NotificationKind) -> None:
    await request_dms(bot, "Mia")
    game = await bot.game(("Mia", "Jonas"))
    if kind is CANCELLATION:
        async with db.transaction(bot.database.sessions) as session:
            await cancel_game(session, game.id)
    row = await bot.row(game, kind)
    async with lost_commits(bot):
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert await bot.ledger(row) == []
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert (len(dms_to(bot, "Mia")), len(channel_messages(bot))) == (1, 1)
    recorded = {delivery.message_id for delivery in await bot.ledger(row)}
    assert recorded == {message.message_id for message in bot.sent()}


async def test_each_of_many_messages_of_one_reminder_is_recognized(bot: Bot) -> None:
    game = await bot.game(())
    async with db.transaction(bot.database.sessions) as session:
        for user in range(1, 161):
            await join_game(session, game.id, user_id=user)
    row = await bot.row(game)
    async with lost_commits(bot):
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(bot.sent()) == 3


@pytest.mark.parametrize("closed_first", [True, False], ids=["opened after", "closed after"])
async def test_a_player_whose_dms_open_or_close_meanwhile_is_notified_once(bot: Bot, closed_first: bool) -> None:
    await request_dms(bot, "Mia")
    mia = bot.discord.world.user("Mia").id
    closed = bot.discord.faults.add(Refuse(50007), match=dm_request(bot, "Mia")) if closed_first else None
    row = await bot.row(await bot.game(("Mia", "Jonas")))
    async with lost_commits(bot):
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    if closed is None:
        bot.discord.faults.add(Refuse(50007), match=dm_request(bot, "Mia"))
    else:
        bot.discord.faults.remove(closed.id)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    notified = [message for message in bot.sent() if mia in message.pinged_users or message.recipient_id == mia]
    assert len(notified) == 1


async def test_an_announcement_whose_record_was_lost_is_kept_and_shows_the_game_that_is_left(bot: Bot) -> None:
    game = await bot.game(("Mia", "Jonas"))
    row = await bot.row(game, ANNOUNCEMENT)
    async with lost_commits(bot):
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        async with db.transaction(bot.database.sessions) as session:
            await leave_game(session, game.id, user_id=bot.discord.world.user("Jonas").id)
        assert await bot.deliver_until_settled(await bot.row(game, ANNOUNCEMENT)) is Outcome.DELIVERED
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [announcement] = bot.discord.messages(bot.channel)
    jonas = bot.discord.world.user("Jonas").id
    assert str(jonas) in str(announcement.embeds)
