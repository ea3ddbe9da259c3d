"""Who asked for direct messages is told so, once, and in the channel when Discord does not let us."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, update

from bot.delivery.rate_limits import DM_OPEN_PAUSE
from sandbox.discord.faults.model import Drop, Hang, Match, Refuse, Status
from sandbox.discord.world.evidence import Accepted
from shared import database as db
from shared import users
from shared.errors import TransientError
from shared.games import leave_game
from shared.models import DeliveryState, NotificationDelivery, Outcome, User
from tests.integration.delivery.conftest import Bot

OPENING = Match(method="POST", route=r"/users/@me/channels$")


async def want_dm(bot: Bot, *names: str, opened: bool = True) -> None:
    """People ask for direct messages, which opens them, unless that went wrong."""
    async with db.transaction(bot.database.sessions) as session:
        for name in names:
            user = bot.discord.world.user(name).id
            await users.set_dm_preference(session, user, wants_dm=True)
            if opened:
                await users.remember_dm_channel(session, user, channel_id=bot.discord.world.open_dm(name).id)


def directly(bot: Bot, name: str) -> list[Accepted]:
    user = bot.discord.world.user(name).id
    return [message for message in bot.told() if message.recipient_id == user]


def publicly(bot: Bot) -> list[Accepted]:
    return [message for message in bot.told() if message.channel_id == bot.channel]


def to(bot: Bot, name: str) -> Match:
    return Match(method="POST", route=rf"/channels/{bot.discord.world.open_dm(name).id}/messages$")


async def test_who_asked_is_told_directly_and_not_mentioned_in_the_channel(bot: Bot) -> None:
    await want_dm(bot, "Mia")
    row = await bot.row(await bot.game(("Mia", "Jonas")))
    assert await bot.tell_until_settled(row) is Outcome.DELIVERED
    [direct], [public] = directly(bot, "Mia"), publicly(bot)
    assert "The Sunken Keep" in direct.content
    assert set(public.pinged_users) == {bot.discord.world.user("Jonas").id}


async def test_direct_messages_that_were_never_opened_are_opened_once(bot: Bot) -> None:
    await want_dm(bot, "Mia", opened=False)
    for _ in range(2):
        await bot.tell_until_settled(await bot.row(await bot.game(("Mia",))))
    assert len(directly(bot, "Mia")) == 2
    async with db.transaction(bot.database.sessions) as session:
        person = await session.get(User, bot.discord.world.user("Mia").id)
    assert person is not None and person.dm_channel_id == directly(bot, "Mia")[0].channel_id


async def test_a_channel_whose_players_are_all_told_directly_says_so(bot: Bot) -> None:
    await want_dm(bot, "Mia")
    await bot.tell_until_settled(await bot.row(await bot.game(("Mia",))))
    [public] = publicly(bot)
    assert (len(public.pinged_users), "by DM" in public.content) == (0, True)


async def test_who_has_closed_their_direct_messages_is_told_in_the_channel_and_remembered(bot: Bot) -> None:
    await want_dm(bot, "Mia")
    bot.discord.world.close_dms("Mia")
    mia = bot.discord.world.user("Mia").id
    assert await bot.tell_until_settled(await bot.row(await bot.game(("Mia", "Jonas")))) is Outcome.DELIVERED
    told = [message for message in publicly(bot) if mia in message.pinged_users]
    assert [("I couldn't DM you" in message.content, set(message.pinged_users)) for message in told] == [(True, {mia})]
    bot.discord.world.close_dms("Mia", closed=False)
    assert await bot.tell_until_settled(await bot.row(await bot.game(("Mia",)))) is Outcome.DELIVERED
    assert directly(bot, "Mia") == []  # not even tried, until she asks for them again
    await want_dm(bot, "Mia")
    await bot.tell_until_settled(await bot.row(await bot.game(("Mia",))))
    assert len(directly(bot, "Mia")) == 1


async def test_who_leaves_before_the_channel_is_told_instead_is_not_a_second_message(bot: Bot) -> None:
    await want_dm(bot, "Mia")
    bot.discord.faults.add(Refuse(50007), match=to(bot, "Mia"))
    game = await bot.game(("Mia", "Jonas"))
    row = await bot.row(game)
    await bot.tell(row)
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=bot.discord.world.user("Mia").id)
    assert await bot.tell_until_settled(row) is Outcome.DELIVERED
    [public] = publicly(bot)
    assert set(public.pinged_users) == {bot.discord.world.user("Jonas").id}


async def test_the_failure_of_one_direct_message_repeats_nothing_for_the_others(bot: Bot) -> None:
    names = ("Mia", "Jonas", "Priya")
    await want_dm(bot, *names)
    bot.discord.faults.add(Status(503), match=to(bot, "Priya"), times=1)
    row = await bot.row(await bot.game(names))
    with pytest.raises(TransientError):
        await bot.tell(row)
    assert await bot.tell_until_settled(row) is Outcome.DELIVERED
    assert [len(directly(bot, name)) for name in names] == [1, 1, 1]
    assert len(bot.told()) == 4


async def test_a_direct_message_whose_answer_was_lost_is_not_told_twice(bot: Bot) -> None:
    await want_dm(bot, "Mia")
    bot.discord.faults.add(Drop(accepted=True), match=to(bot, "Mia"), times=1)
    assert await bot.tell_until_settled(await bot.row(await bot.game(("Mia",)))) is Outcome.DELIVERED
    assert len(directly(bot, "Mia")) == 1


async def test_who_left_before_the_direct_message_is_not_told(bot: Bot) -> None:
    await want_dm(bot, "Mia", opened=False)
    game = await bot.game(("Mia", "Jonas"))
    bot.discord.faults.add(Status(503), match=OPENING, times=1)
    row = await bot.row(game)
    with pytest.raises(TransientError):
        await bot.tell(row)
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=bot.discord.world.user("Mia").id)
    assert await bot.tell_until_settled(row) is Outcome.DELIVERED
    assert directly(bot, "Mia") == []


async def test_opening_direct_messages_too_fast_pauses_that_lane_alone(bot: Bot) -> None:
    await want_dm(bot, "Mia", opened=False)
    refused = bot.discord.faults.add(Refuse(40003), match=OPENING)
    row = await bot.row(await bot.game(("Mia", "Jonas")))
    with pytest.raises(TransientError):
        await bot.tell(row)
    for _ in range(3):
        await bot.tell(row)  # held: the lane is closed, and nobody is asked
    assert (refused.fired, await bot.outcome(row)) == (1, None)
    [public] = publicly(bot)
    assert set(public.pinged_users) == {bot.discord.world.user("Jonas").id}
    assert await bot.tell_until_settled(await bot.row(await bot.game(("Ben",)))) is Outcome.DELIVERED


@pytest.mark.parametrize("fault", [Status(503), Drop(), Hang(5.0)], ids=["503", "reset", "time-out"])
async def test_no_answer_to_opening_direct_messages_does_not_pause_the_lane(
    bot: Bot, fault: Status | Drop | Hang
) -> None:
    await want_dm(bot, "Mia", opened=False)
    bot.discord.faults.add(fault, match=OPENING, times=1)
    row = await bot.row(await bot.game(("Mia",)))
    with pytest.raises(TransientError):
        await bot.tell(row)
    async with asyncio.timeout(DM_OPEN_PAUSE / 2):
        assert await bot.tell_until_settled(row) is Outcome.DELIVERED
    assert len(directly(bot, "Mia")) == 1


@pytest.mark.parametrize("accepted", [True, False], ids=["told", "not told"])
async def test_closed_after_a_try_that_may_have_been_told_the_conversation_is_looked_through(
    bot: Bot, accepted: bool
) -> None:
    await want_dm(bot, "Mia")
    mia = bot.discord.world.user("Mia").id
    bot.discord.faults.add(Drop(accepted=accepted), match=to(bot, "Mia"), times=1)
    row = await bot.row(await bot.game(("Mia",)))
    with pytest.raises(TransientError):
        await bot.tell(row)
    bot.discord.faults.add(Refuse(50007), match=to(bot, "Mia"))  # before Discord looks for the nonce, if it does
    await bot.tell(row)
    assert await bot.outcome(row) is None  # nobody knows yet
    async with db.transaction(bot.database.sessions) as session:
        ago = func.clock_timestamp() - timedelta(minutes=5)
        sending = NotificationDelivery.state == DeliveryState.SENDING
        await session.execute(update(NotificationDelivery).where(sending).values(first_sending_at=ago, lease_until=ago))
    assert await bot.tell_until_settled(row) is Outcome.DELIVERED
    mentioned = [message for message in publicly(bot) if mia in message.pinged_users]
    assert (len(directly(bot, "Mia")), len(mentioned)) == ((1, 0) if accepted else (0, 1))
