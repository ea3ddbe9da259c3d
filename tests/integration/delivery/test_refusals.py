"""What Discord refuses: until a person changes something, or for good. The host gets a warning."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from bot.delivery.errors import DeliveryRefusedError
from bot.delivery.leases import acquire
from bot.delivery.rate_limits import DM_OPEN_PAUSE
from sandbox.discord.faults.model import Match, Refuse, Status
from sandbox.discord.world.entities import Channel
from shared import database as db
from shared import users
from shared.errors import TransientError
from shared.models import (
    DeliveryState,
    Game,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    User,
)
from shared.schedule.populate import lock_game
from shared.schedule.warnings import warn_hosts
from shared.settings import Timing
from shared.signup import join_game
from tests.integration.delivery.conftest import Bot, read_pending
from tests.support.builders import rows_of
from tests.support.database import is_anyone_blocked
from tests.support.transition_check import allow_any_change
from tests.support.waiting import eventually

ANNOUNCEMENT, REMINDER, WARNING = NotificationKind.ANNOUNCEMENT, NotificationKind.REMINDER, NotificationKind.WARNING
CREATE = Match(method="POST", route=r"/channels/\d+/messages$")
EDIT = Match(method="PATCH", route=r"/channels/\d+/messages/\d+$")


async def game_of_mia(bot: Bot, *, starts_in: timedelta = timedelta(hours=2), **options: Any) -> Game:
    return await bot.game(("Jonas",), host_id=bot.discord.world.user("Mia").id, starts_in=starts_in, **options)


async def warnings(bot: Bot, game: Game) -> list[NotificationSchedule]:
    return await rows_of(bot.database.sessions, game, WARNING)


async def warn(bot: Bot, row: NotificationSchedule, reason: str) -> None:
    async with db.transaction(bot.database.sessions) as session:
        await warn_hosts(session, [(row.id, reason)])


async def seconds_to_the_next_attempt(bot: Bot, row: NotificationSchedule) -> float:
    statement = select(func.extract("epoch", NotificationSchedule.attempt_at - func.clock_timestamp()))
    async with db.transaction(bot.database.sessions) as session:
        return float((await session.execute(statement.where(NotificationSchedule.id == row.id))).scalar_one())


async def begin(bot: Bot, game: Game, *, ago: timedelta = timedelta(hours=2)) -> None:
    """Make a game begin in the past."""
    async with db.transaction(bot.database.sessions) as session:
        await allow_any_change(session)
        moment = func.clock_timestamp() - ago
        await session.execute(
            update(NotificationSchedule)
            .where(NotificationSchedule.game_id == game.id)
            .values(game_scheduled_at=moment, due_at=moment)
        )


@pytest.mark.parametrize("permission", ["SEND_MESSAGES", "VIEW_CHANNEL"])
async def test_a_reminder_waits_for_a_permission_and_the_host_is_warned(bot: Bot, permission: str) -> None:
    game = await game_of_mia(bot)
    row = await bot.row(game)
    bot.discord.world.deny(bot.channel, permission)
    for _ in range(2):
        with pytest.raises(DeliveryRefusedError):
            await bot.deliver(row)
    assert await bot.outcome(row) is None
    [delivery] = await bot.ledger(row)
    assert delivery.state is DeliveryState.PENDING
    assert 60 < await seconds_to_the_next_attempt(bot, row) <= 120.25
    [warning] = await warnings(bot, game)
    assert await bot.deliver_until_settled(warning) is Outcome.DELIVERED
    [message] = bot.discord.dms("Mia")
    assert "The Sunken Keep" in message.content
    assert "I'll keep trying: reminders until the game begins, other messages for an hour at least." in message.content
    bot.discord.world.restore(bot.channel)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(await warnings(bot, game)) == 1


async def test_deferred_direct_messages_do_not_wait_for_a_permission(bot: Bot) -> None:
    game = await game_of_mia(bot)
    row = await bot.row(game)
    async with db.transaction(bot.database.sessions) as session:
        await users.set_dm_preference(session, bot.discord.world.user("Jonas").id, wants_dm=True)
    bot.discord.world.deny(bot.channel, "SEND_MESSAGES")
    bot.discord.faults.add(Refuse(40003), match=Match(method="POST", route=r"/users/@me/channels$"))
    for _ in range(2):  # the first one learns that no DM can be opened now
        with pytest.raises(DeliveryRefusedError):
            await bot.deliver(row)
    assert 10 <= await seconds_to_the_next_attempt(bot, row) <= DM_OPEN_PAUSE + 1


async def test_a_reminder_at_the_start_is_tried_again_in_time(bot: Bot) -> None:
    row = await bot.row(await game_of_mia(bot, starts_in=timedelta(seconds=20), offsets=(0,)))
    bot.discord.world.deny(bot.channel, "SEND_MESSAGES")
    with pytest.raises(DeliveryRefusedError):
        await bot.deliver(row)
    assert 10 < await seconds_to_the_next_attempt(bot, row) <= 15.25


async def test_a_refused_reminder_expires_when_the_game_begins_and_leaves_no_open_delivery(bot: Bot) -> None:
    game = await game_of_mia(bot)
    row = await bot.row(game)
    bot.discord.world.deny(bot.channel, "SEND_MESSAGES")
    with pytest.raises(DeliveryRefusedError):
        await bot.deliver(row)
    await begin(bot, game)
    await bot.deliver(row)
    assert await bot.outcome(row) is Outcome.EXPIRED
    [delivery] = await bot.ledger(row)
    assert delivery.state is DeliveryState.FAILED


async def test_an_announcement_that_cannot_be_posted_warns_and_is_given_up_after_the_start(bot: Bot) -> None:
    game = await game_of_mia(bot)
    row = await bot.row(game, ANNOUNCEMENT)
    bot.discord.world.deny(bot.channel, "EMBED_LINKS")
    with pytest.raises(DeliveryRefusedError):
        await bot.deliver(row)
    [warning] = await warnings(bot, game)
    assert "Embed Links" in (warning.reason or "")
    await begin(bot, game, ago=timedelta(minutes=30))
    with pytest.raises(DeliveryRefusedError):
        await bot.deliver(row)
    assert "I won't try again" not in (await warnings(bot, game))[0].reason
    await begin(bot, game)
    await bot.deliver(row)
    assert await bot.outcome(row) is Outcome.UNDELIVERABLE
    assert "I won't try again" in (await warnings(bot, game))[-1].reason


async def test_an_edit_that_is_refused_is_tried_again(bot: Bot) -> None:
    game = await game_of_mia(bot)
    await bot.deliver(await bot.row(game, ANNOUNCEMENT))
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=bot.discord.world.user("Ben").id)
    row = await bot.row(game, ANNOUNCEMENT)
    bot.discord.faults.add(Refuse(50013), match=EDIT, times=1)
    with pytest.raises(DeliveryRefusedError):
        await bot.deliver(row)
    assert len(await warnings(bot, game)) == 1
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED


async def test_the_host_is_warned_of_each_reason_once(bot: Bot) -> None:
    game = await game_of_mia(bot, offsets=(60, 30, 10))
    rows = await rows_of(bot.database.sessions, game, REMINDER)
    for row, code in zip(rows, (50013, 10003, 50013), strict=True):
        bot.discord.faults.add(Refuse(code), match=CREATE, times=1)
        try:
            await bot.deliver(row)
        except DeliveryRefusedError:
            assert code == 50013
    [warning] = await warnings(bot, game)
    lines = (warning.reason or "").splitlines()
    assert len(lines) == 2
    await bot.deliver_until_settled(warning)
    bot.discord.faults.add(Refuse(50013), match=CREATE, times=1)
    with pytest.raises(DeliveryRefusedError):
        await bot.deliver(rows[-1])  # the others are overtaken by it
    assert len(await warnings(bot, game)) == 1


async def test_two_warnings_about_one_game_do_not_wait_for_each_other(bot: Bot) -> None:
    """One has locked the game, as the one about an announcement has. The other has not, as the one about a reminder."""
    sessions, game = bot.database.sessions, await game_of_mia(bot, offsets=(60,))
    row = await bot.row(game)

    async with db.transaction(sessions) as session:
        await lock_game(session, game.id)
        warning_too = asyncio.create_task(warn(bot, row, "reason of the reminder"))
        await eventually(lambda: is_anyone_blocked(bot.database.sessions))
        await warn_hosts(session, [(row.id, "reason of the announcement")])
    await warning_too
    [warning] = await warnings(bot, game)
    assert set((warning.reason or "").splitlines()) == {"reason of the announcement", "reason of the reminder"}


@pytest.mark.parametrize("accepted", [True, False], ids=["sent", "not sent"])
async def test_a_reason_that_comes_up_while_a_warning_may_have_been_sent_gets_one_of_its_own(
    bot: Bot, accepted: bool
) -> None:
    game = await game_of_mia(bot)
    row = await bot.row(game)
    await warn(bot, row, "first reason")
    [first] = await warnings(bot, game)
    bot.discord.faults.add(Status(502, accepted=accepted), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(first)
    for _ in range(2):
        await warn(bot, row, "second reason")
    assert await bot.deliver_until_settled(first) is Outcome.DELIVERED
    await warn(bot, row, "second reason")
    _, second = await warnings(bot, game)
    assert await bot.deliver_until_settled(second) is Outcome.DELIVERED
    of_first, of_second = [message.content for message in bot.discord.dms("Mia")]
    assert "first reason" in of_first and "second reason" not in of_first
    assert "second reason" in of_second and "first reason" not in of_second


async def test_a_reason_waits_for_the_lease_of_the_warning_that_it_would_be_added_to(bot: Bot, timing: Timing) -> None:
    sessions, game = bot.database.sessions, await game_of_mia(bot)
    row = await bot.row(game)
    await warn(bot, row, "first reason")
    [first] = await warnings(bot, game)
    pending = await read_pending(bot, first, timing)
    async with db.transaction(sessions) as session:
        await acquire(session, [pending], timing=timing)
        second = asyncio.create_task(warn(bot, row, "second reason"))
        await eventually(lambda: is_anyone_blocked(sessions))
    await second
    assert [warning.reason for warning in await warnings(bot, game)] == ["first reason", "second reason"]


async def test_a_warning_that_cannot_be_sent_warns_nobody(bot: Bot) -> None:
    game = await game_of_mia(bot)
    bot.discord.world.close_dms("Mia")
    bot.discord.faults.add(Refuse(10003), match=CREATE, times=1)
    await bot.deliver(await bot.row(game))
    [warning] = await warnings(bot, game)
    await bot.deliver(warning)
    assert await bot.outcome(warning) is Outcome.UNDELIVERABLE
    assert len(await warnings(bot, game)) == 1
    assert bot.discord.messages(bot.channel) == []


def thread_of(bot: Bot, **options: Any) -> Channel:
    return bot.discord.world.add_thread(
        bot.channel, "one-shot", owner="Mia", members=[bot.discord.world.bot], **options
    )


async def announced_in_a_thread(bot: Bot, thread: Channel) -> NotificationSchedule:
    """Return the open row of an announcement that is posted in a thread."""
    game = await game_of_mia(bot, channel=thread.id)
    await bot.deliver(await bot.row(game, ANNOUNCEMENT))
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=bot.discord.world.user("Ben").id)
    return await bot.row(game, ANNOUNCEMENT)


@pytest.mark.parametrize("private", [False, True])
async def test_an_announcement_in_an_archived_thread_is_edited(bot: Bot, private: bool) -> None:
    thread = thread_of(bot, private=private)
    row = await announced_in_a_thread(bot, thread)
    bot.discord.world.change_thread(thread, archived=True)
    await bot.deliver(row)
    assert await bot.outcome(row) is Outcome.DELIVERED
    [post] = bot.discord.messages(thread)
    assert f"<@{bot.discord.world.user('Ben').id}>" in str(post.embeds)


async def test_an_announcement_in_a_locked_thread_waits_until_it_is_unlocked(bot: Bot) -> None:
    thread = thread_of(bot)
    row = await announced_in_a_thread(bot, thread)
    bot.discord.world.change_thread(thread, archived=True, locked=True)
    with pytest.raises(DeliveryRefusedError):
        await bot.deliver(row)
    [warning] = await warnings(bot, Game(id=row.game_id))
    assert "the thread is archived" in (warning.reason or "")
    bot.discord.world.change_thread(thread, locked=False)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED


async def test_a_reminder_opens_an_archived_thread_and_waits_in_a_locked_one(bot: Bot) -> None:
    thread = thread_of(bot)
    first, second = await rows_of(bot.database.sessions, await game_of_mia(bot, channel=thread.id), REMINDER)
    bot.discord.world.change_thread(thread, archived=True)
    assert await bot.deliver_until_settled(first) is Outcome.DELIVERED
    bot.discord.world.change_thread(thread, archived=True, locked=True)
    with pytest.raises(DeliveryRefusedError, match="locked"):
        await bot.deliver(second)
    bot.discord.world.change_thread(thread, locked=False)
    assert await bot.deliver_until_settled(second) is Outcome.DELIVERED


async def test_a_private_thread_without_the_bot_waits_until_the_bot_is_added(bot: Bot) -> None:
    thread = thread_of(bot, private=True)
    row = await bot.row(await game_of_mia(bot, channel=thread.id))
    assert thread.thread is not None
    thread.thread.member_ids.remove(bot.discord.world.bot.id)
    with pytest.raises(DeliveryRefusedError, match="cannot see the channel"):
        await bot.deliver(row)
    thread.thread.member_ids.add(bot.discord.world.bot.id)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED


async def test_what_is_due_in_a_deleted_thread_is_undeliverable_and_the_host_is_warned(bot: Bot) -> None:
    thread = thread_of(bot)
    row = await announced_in_a_thread(bot, thread)
    game = Game(id=row.game_id)
    bot.discord.world.delete_channel(thread)
    for due in (row, await bot.row(game)):
        await bot.deliver(due)
        assert await bot.outcome(due) is Outcome.UNDELIVERABLE
    [warning] = await warnings(bot, game)
    assert await bot.deliver_until_settled(warning) is Outcome.DELIVERED
    assert "the channel was deleted" in bot.discord.dms("Mia")[0].content


async def want_dms(bot: Bot, name: str, *, channel_id: int | None = None) -> int:
    """Record that a user wants DMs, in a channel that may be stale."""
    user_id = bot.discord.world.user(name).id
    async with db.transaction(bot.database.sessions) as session:
        await users.set_dm_preference(session, user_id, wants_dm=True)
        opened = channel_id or bot.discord.world.open_dm(name).id
        await users.remember_dm_channel(session, user_id, channel_id=opened)
    return user_id


async def test_a_stale_dm_channel_is_forgotten_and_opened_again(bot: Bot) -> None:
    jonas = await want_dms(bot, "Jonas", channel_id=123)
    row = await bot.row(await game_of_mia(bot))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(bot.discord.dms("Jonas")) == 1
    async with db.transaction(bot.database.sessions) as session:
        user = await session.get(User, jonas)
    assert user is not None and user.dm_channel_id == bot.discord.world.open_dm("Jonas").id


@pytest.mark.parametrize("code", [10003, 20009, 50001, 50013, 50033, 99999])
async def test_a_dm_that_is_refused_for_any_reason_becomes_a_mention(bot: Bot, code: int) -> None:
    jonas = await want_dms(bot, "Jonas")
    dm = bot.discord.world.open_dm("Jonas").id
    refused = bot.discord.faults.add(Refuse(code), match=Match(method="POST", route=rf"/channels/{dm}/messages$"))
    row = await bot.row(await game_of_mia(bot))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert [message.pinged_users for message in bot.sent() if jonas in message.pinged_users] == [(jonas,)]
    assert refused.fired == 2  # in the channel that was known, and in the one that was opened
    async with db.transaction(bot.database.sessions) as session:
        user = await session.get(User, jonas)
    assert user is not None and user.dms_closed_at is None


@pytest.mark.parametrize("code", [10013, 50033])
async def test_a_dm_channel_that_cannot_be_opened_becomes_a_mention(bot: Bot, code: int) -> None:
    jonas = bot.discord.world.user("Jonas").id
    async with db.transaction(bot.database.sessions) as session:
        await users.set_dm_preference(session, jonas, wants_dm=True)
    bot.discord.faults.add(Refuse(code), match=Match(method="POST", route=r"/users/@me/channels$"))
    row = await bot.row(await game_of_mia(bot))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert [message.pinged_users for message in bot.sent() if jonas in message.pinged_users] == [(jonas,)]


async def test_an_announcement_with_an_unknown_result_is_not_posted_by_the_next_join(bot: Bot) -> None:
    game = await game_of_mia(bot)
    row = await bot.row(game, ANNOUNCEMENT)
    await bot.deliver(row)
    async with db.transaction(bot.database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(NotificationDelivery).values(state=DeliveryState.UNKNOWN, message_id=None))
        await session.execute(update(Game).values(message_id=None))
        await join_game(session, game.id, user_id=bot.discord.world.user("Ben").id)
    again = await bot.row(game, ANNOUNCEMENT)
    await bot.deliver(again)
    assert (again.id == row.id, await bot.outcome(again)) == (False, Outcome.UNDELIVERABLE)
    assert len(bot.discord.messages(bot.channel)) == 1
