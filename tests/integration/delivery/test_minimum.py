"""A host whose game too few have joined is asked once, and nobody else is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sandbox.discord.faults.model import Match, Status
from shared import database as db
from shared.editing import GameEdit, edit_game
from shared.errors import TransientError
from shared.games import cancel_game
from shared.models import Game, NotificationKind, NotificationSchedule, Outcome
from shared.signup import join_game, leave_game
from shared.users import change_own_settings
from tests.integration.delivery.conftest import Bot
from tests.integration.delivery.test_direct_messages import channel_messages, dms_to
from tests.integration.delivery.test_hosts import names
from tests.integration.delivery.test_open_attempts import age
from tests.support.builders import make_due, rows_of
from tests.support.database import Database

MINIMUM = NotificationKind.MINIMUM
CREATE = Match(method="POST", route=r"/channels/\d+/messages$")


async def question(bot: Bot, *players: str, minimum: int = 3, **fields: Any) -> tuple[Game, NotificationSchedule]:
    """A game of Priya's that needs three players."""
    host = bot.discord.world.user("Priya").id
    game = await bot.game(players, host_id=host, minimum_players=minimum, starts_in=timedelta(days=3), **fields)
    [row] = await rows_of(bot.database.sessions, game, MINIMUM)
    return game, row


async def detail_of(database: Database, row: NotificationSchedule) -> str | None:
    async with db.transaction(database.sessions) as session:
        found = await session.get(NotificationSchedule, row.id)
        return None if found is None else found.outcome_detail


async def test_the_host_alone_is_asked_by_dm(bot: Bot) -> None:
    game, row = await question(bot, "Mia", "Jonas")
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [message] = dms_to(bot, "Priya")
    assert "Only 2 of 3 players" in message.content and game.title in message.content
    [buttons] = message.components
    assert [button["label"] for button in buttons["components"]] == ["Cancel the game", "Keep it"]
    assert channel_messages(bot) == []


async def test_a_host_who_turned_reminders_off_is_asked_too(bot: Bot) -> None:
    async with db.transaction(bot.database.sessions) as session:
        await change_own_settings(session, bot.discord.world.user("Priya").id, reminders_off=True)
    _, row = await question(bot)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(dms_to(bot, "Priya")) == 1


async def test_a_host_with_closed_dms_is_asked_in_the_channel(bot: Bot) -> None:
    bot.discord.world.close_dms("Priya")
    _, row = await question(bot, "Mia")
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [message] = channel_messages(bot)
    assert names(bot, message) == {"Priya"}


async def test_nobody_is_asked_if_enough_players_are_in_when_they_are_counted(bot: Bot) -> None:
    game, row = await question(bot, "Mia", "Jonas")
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=bot.discord.world.user("Ben").id)
    assert await bot.deliver_until_settled(row) is Outcome.SUPERSEDED
    assert await detail_of(bot.database, row) == "enough players have a seat"
    assert bot.sent() == []
    async with db.transaction(bot.database.sessions) as session:  # they were counted once
        await leave_game(session, game.id, user_id=bot.discord.world.user("Ben").id)
        await edit_game(session, game.id, GameEdit(title="The Dry Keep"))
    assert [it.outcome for it in await rows_of(bot.database.sessions, game, MINIMUM)] == [Outcome.SUPERSEDED]


async def test_a_message_whose_response_is_lost_is_not_repeated(bot: Bot) -> None:
    _, row = await question(bot)
    bot.discord.faults.add(Status(502, accepted=True), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(dms_to(bot, "Priya")) == 1


async def test_players_who_join_while_the_question_may_be_sent_withdraw_it(bot: Bot) -> None:
    game, row = await question(bot, "Mia", minimum=2)
    bot.discord.faults.add(Status(503), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=bot.discord.world.user("Ben").id)
    await age(bot)
    assert await bot.deliver_until_settled(row) is Outcome.SUPERSEDED
    assert bot.sent() == []


@pytest.mark.parametrize("change", ["moved", "cancelled", "needs nobody"])
async def test_an_obsolete_question_is_not_sent(bot: Bot, change: str) -> None:
    game, row = await question(bot)
    async with db.transaction(bot.database.sessions) as session:
        if change == "moved":
            await edit_game(session, game.id, GameEdit(scheduled_at=game.scheduled_at + timedelta(days=1)))
        elif change == "cancelled":
            await cancel_game(session, game.id)
        else:
            await edit_game(session, game.id, GameEdit(minimum_players=0))
    assert await bot.outcome(row) is Outcome.SUPERSEDED
    open_rows = [it for it in await rows_of(bot.database.sessions, game, MINIMUM) if it.outcome is None]
    assert len(open_rows) == (change == "moved")


async def test_a_game_that_is_not_announced_yet_is_not_given_away(bot: Bot) -> None:
    """An older release counted the players before the announcement."""
    bot.discord.world.close_dms("Priya")
    async with db.transaction(bot.database.sessions) as session:
        announce_at = await db.now(session) + timedelta(days=2.5)
    _, row = await question(bot, announce_at=announce_at)
    await make_due(bot.database.sessions, row)
    assert await bot.deliver_until_settled(row) is Outcome.SUPERSEDED
    assert await detail_of(bot.database, row) == "the game is not announced yet"
    assert bot.sent() == []


async def test_the_host_is_asked_after_a_planned_announcement(bot: Bot) -> None:
    async with db.transaction(bot.database.sessions) as session:
        announce_at = await db.now(session) + timedelta(days=2.5)
    game, row = await question(bot, announce_at=announce_at)
    [announcement] = await rows_of(bot.database.sessions, game, NotificationKind.ANNOUNCEMENT)
    assert announcement.due_at < row.due_at
    assert await bot.deliver_until_settled(announcement) is Outcome.DELIVERED
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(dms_to(bot, "Priya")) == 1
