"""Everyone in a game learns of a new time once."""

from __future__ import annotations

from datetime import timedelta

from shared import database as db
from shared.confirmations import confirm_attendance
from shared.editing import EditResult, GameEdit, edit_game
from shared.games import cancel_game
from shared.models import Game, NotificationKind, Outcome
from tests.integration.delivery.conftest import Bot
from tests.integration.delivery.test_direct_messages import channel_messages, dms_to, request_dms
from tests.support.builders import rows_of

CHANGE = NotificationKind.CHANGE
HOUR = timedelta(hours=1)


async def move(bot: Bot, game: Game, hours: int) -> None:
    async with db.transaction(bot.database.sessions) as session:
        edit = GameEdit(scheduled_at=game.scheduled_at + timedelta(hours=hours))
        assert await edit_game(session, game.id, edit) is EditResult.MOVED


def start(game: Game, hours: int) -> str:
    return f"<t:{int((game.scheduled_at + timedelta(hours=hours)).timestamp())}:F>"


async def test_everyone_is_told_of_a_new_time_once(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    priya = bot.discord.world.user("Priya").id
    game = await bot.game(("Mia", "Jonas"), host_id=priya)
    await move(bot, game, 1)
    row = await bot.row(game, CHANGE)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    await bot.deliver(row)
    [public], [direct] = channel_messages(bot), dms_to(bot, "Mia")
    assert set(public.pinged_users) == {bot.discord.world.user("Jonas").id, priya}
    assert start(game, 1) in public.content and start(game, 1) in direct.content
    assert "Can't make it" in str(public.components)


async def test_the_notice_asks_those_who_have_to_confirm(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    priya = bot.discord.world.user("Priya").id
    game = await bot.game(("Mia", "Jonas"), host_id=priya)
    async with db.transaction(bot.database.sessions) as session:
        await edit_game(session, game.id, GameEdit(scheduled_at=game.scheduled_at + HOUR), asks_again=True)
        await confirm_attendance(session, game.id, user_id=bot.discord.world.user("Mia").id)
    assert await bot.deliver_until_settled(await bot.row(game, CHANGE)) is Outcome.DELIVERED
    [public], [direct] = channel_messages(bot), dms_to(bot, "Mia")
    assert "I can make it" in str(public.components) and "Can you make it?" in public.content
    assert "I can make it" not in str(direct.components)


async def test_only_the_last_of_two_new_times_is_told_if_the_first_was_not_sent_yet(bot: Bot) -> None:
    game = await bot.game()
    await move(bot, game, 1)
    await move(bot, game, 2)
    first, second = await rows_of(bot.database.sessions, game, CHANGE)
    assert await bot.deliver_until_settled(first) is Outcome.SUPERSEDED
    assert await bot.deliver_until_settled(second) is Outcome.DELIVERED
    [only] = bot.sent()
    assert start(game, 2) in only.content


async def test_each_of_two_new_times_is_told_if_the_first_was_sent(bot: Bot) -> None:
    game = await bot.game()
    for hours in (1, 2):
        await move(bot, game, hours)
        assert await bot.deliver_until_settled(await bot.row(game, CHANGE)) is Outcome.DELIVERED
    assert [start(game, hours) in message.content for hours, message in zip((1, 2), bot.sent(), strict=True)] == [
        True,
        True,
    ]


async def test_a_cancellation_replaces_a_new_time_that_was_not_sent_yet(bot: Bot) -> None:
    game = await bot.game()
    await move(bot, game, 1)
    async with db.transaction(bot.database.sessions) as session:
        await cancel_game(session, game.id)
    assert await bot.deliver_until_settled(await bot.row(game, CHANGE)) is Outcome.SUPERSEDED
    assert await bot.deliver_until_settled(await bot.row(game, NotificationKind.CANCELLATION)) is Outcome.DELIVERED
    [only] = bot.sent()
    assert "has been cancelled" in only.content


async def test_what_does_not_change_the_time_notifies_nobody(bot: Bot) -> None:
    game = await bot.game()
    async with db.transaction(bot.database.sessions) as session:
        edit = GameEdit(title="The Dry Keep", capacity=9, reminder_offsets=(30,), scheduled_at=game.scheduled_at)
        assert await edit_game(session, game.id, edit) is EditResult.CHANGED
    assert await rows_of(bot.database.sessions, game, CHANGE) == []
    reminders = await rows_of(bot.database.sessions, game, NotificationKind.REMINDER)
    assert [row.offset_minutes for row in reminders if row.settled_at is None] == [30]
