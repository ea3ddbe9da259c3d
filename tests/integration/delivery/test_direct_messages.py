"""Players who want direct messages get one, or are mentioned in the channel if Discord rejects it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from bot.delivery.leases import SendAttempt, acquire
from bot.delivery.rate_limits import DM_OPEN_PAUSE
from sandbox.discord.faults.model import Drop, Hang, Match, Refuse, Status, TooMany
from sandbox.discord.world.evidence import Accepted
from shared import database as db
from shared import users
from shared.errors import TransientError
from shared.games import cancel_game
from shared.models import DeliveryState, NotificationDelivery, NotificationKind, Outcome, RecipientKind, User
from shared.settings import Timing
from shared.signup import join_game, leave_game
from tests.integration.delivery.conftest import Bot, read_pending
from tests.support.transition_check import allow_any_change

OPENING = Match(method="POST", route=r"/users/@me/channels$")


async def request_dms(bot: Bot, *names: str, opened: bool = True) -> None:
    """Record that users want DMs. The command opens the DM channel, but may fail to."""
    async with db.transaction(bot.database.sessions) as session:
        for name in names:
            user = bot.discord.world.user(name).id
            await users.set_dm_preference(session, user, wants_dm=True)
            if opened:
                await users.remember_dm_channel(session, user, channel_id=bot.discord.world.open_dm(name).id)


def dms_to(bot: Bot, name: str) -> list[Accepted]:
    user = bot.discord.world.user(name).id
    return [message for message in bot.sent() if message.recipient_id == user]


def channel_messages(bot: Bot) -> list[Accepted]:
    return [message for message in bot.sent() if message.channel_id == bot.channel]


def dm_request(bot: Bot, name: str) -> Match:
    return Match(method="POST", route=rf"/channels/{bot.discord.world.open_dm(name).id}/messages$")


async def test_a_player_who_wants_dms_gets_one_and_is_not_mentioned_in_the_channel(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    row = await bot.row(await bot.game(("Mia", "Jonas")))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [direct], [public] = dms_to(bot, "Mia"), channel_messages(bot)
    assert "The Sunken Keep" in direct.content
    assert set(public.pinged_users) == {bot.discord.world.user("Jonas").id}


async def test_a_reminder_shows_who_plays_now_and_pings_no_one_twice(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    row = await bot.row(game := await bot.game(("Mia", "Jonas"), capacity=4))
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=bot.discord.world.user("Jonas").id)
        await join_game(session, game.id, user_id=bot.discord.world.user("Ben").id)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    mia, ben = (bot.discord.world.user(name).id for name in ("Mia", "Ben"))
    for message in (*dms_to(bot, "Mia"), *channel_messages(bot)):
        assert f"Players: 2/4 · <@{mia}> <@{ben}>" in message.content.splitlines()
    [public] = channel_messages(bot)
    assert set(public.pinged_users) == {ben}


async def test_a_recipient_who_is_notified_in_the_channel_by_now_gets_no_direct_message(
    bot: Bot, timing: Timing
) -> None:
    """A late attempt has read the delivery before another one turned it into one in the channel."""
    await request_dms(bot, "Mia")
    late = await read_pending(bot, await bot.row(await bot.game(("Mia",))), timing)
    assert late.delivery.recipient_kind is RecipientKind.USER
    in_channel = {"recipient_kind": RecipientKind.CHANNEL, "recipient_id": bot.channel, "chunk": 1}
    async with db.transaction(bot.database.sessions) as session:
        await allow_any_change(session)
        await session.execute(
            update(NotificationDelivery).where(NotificationDelivery.id == late.delivery.id).values(**in_channel)
        )
    async with db.transaction(bot.database.sessions) as session:
        assert await acquire(session, [late], timing=timing) == [None]


async def test_a_dm_channel_is_opened_once(bot: Bot) -> None:
    await request_dms(bot, "Mia", opened=False)
    for _ in range(2):
        await bot.deliver_until_settled(await bot.row(await bot.game(("Mia",))))
    assert len(dms_to(bot, "Mia")) == 2
    async with db.transaction(bot.database.sessions) as session:
        person = await session.get(User, bot.discord.world.user("Mia").id)
    assert person is not None and person.dm_channel_id == dms_to(bot, "Mia")[0].channel_id


async def test_the_channel_says_so_if_all_players_are_notified_by_dm(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    await bot.deliver_until_settled(await bot.row(await bot.game(("Mia",), host_id=bot.discord.world.user("Mia").id)))
    [public] = channel_messages(bot)
    assert (len(public.pinged_users), "by DM" in public.content) == (0, True)


async def test_a_player_with_closed_dms_is_mentioned_in_the_channel_from_then_on(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    bot.discord.world.close_dms("Mia")
    mia = bot.discord.world.user("Mia").id
    assert await bot.deliver_until_settled(await bot.row(await bot.game(("Mia", "Jonas")))) is Outcome.DELIVERED
    mentioning = [message for message in channel_messages(bot) if mia in message.pinged_users]
    assert [("I couldn't DM you" in message.content, set(message.pinged_users)) for message in mentioning] == [
        (True, {mia})
    ]
    bot.discord.world.close_dms("Mia", closed=False)
    assert await bot.deliver_until_settled(await bot.row(await bot.game(("Mia",)))) is Outcome.DELIVERED
    assert dms_to(bot, "Mia") == []  # not attempted until she asks for DMs again
    await request_dms(bot, "Mia")
    await bot.deliver_until_settled(await bot.row(await bot.game(("Mia",))))
    assert len(dms_to(bot, "Mia")) == 1


async def test_no_second_message_is_sent_if_the_player_with_closed_dms_has_left(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    bot.discord.faults.add(Refuse(50007), match=dm_request(bot, "Mia"))
    game = await bot.game(("Mia", "Jonas"))
    row = await bot.row(game)
    await bot.deliver(row)
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=bot.discord.world.user("Mia").id)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [public] = channel_messages(bot)
    assert set(public.pinged_users) == {bot.discord.world.user("Jonas").id}


async def test_a_new_player_does_not_revive_the_message_for_one_with_closed_dms_who_has_left(bot: Bot) -> None:
    """Both players are to be mentioned in a message each, of which the last one adds the new player."""
    await request_dms(bot, "Mia", "Jonas")
    for name in ("Mia", "Jonas"):
        bot.discord.world.close_dms(name)
    game = await bot.game(("Mia", "Jonas"))
    row = await bot.row(game)
    await bot.deliver(row)
    mia, jonas, ben = (bot.discord.world.user(name).id for name in ("Mia", "Jonas", "Ben"))
    async with db.transaction(bot.database.sessions) as session:
        chunks = select(NotificationDelivery.mentions).where(NotificationDelivery.chunk > 0)
        [[leaving], [staying]] = await session.scalars(chunks.order_by(NotificationDelivery.chunk))
        assert {leaving, staying} == {mia, jonas}
        await leave_game(session, game.id, user_id=leaving)
        await join_game(session, game.id, user_id=ben)
    before = len(channel_messages(bot))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert [set(message.pinged_users) for message in channel_messages(bot)[before:]] == [{staying, ben}]


async def test_a_late_attempt_does_not_delete_the_message_to_which_an_earlier_one_has_added_a_player(
    bot: Bot, timing: Timing
) -> None:
    """It has read the delivery for a player who has left since, whose place in the message a new player has."""
    await request_dms(bot, "Mia")
    bot.discord.world.close_dms("Mia")
    game = await bot.game(("Mia", "Jonas"))
    row = await bot.row(game)
    await bot.deliver(row)
    late = await read_pending(bot, row, timing)
    mia, ben = (bot.discord.world.user(name).id for name in ("Mia", "Ben"))
    assert (*late.delivery.mentions,) == (mia,)
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=mia)
        await join_game(session, game.id, user_id=ben)
    bot.discord.faults.add(TooMany(retry_after=0.01), match=Match(method="POST", route=r"/messages$"), times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    async with db.transaction(bot.database.sessions) as session:
        [attempt] = await acquire(session, [late], timing=timing)
    assert isinstance(attempt, SendAttempt)
    assert attempt.message.mentions == (ben,)


async def test_the_failure_of_one_dm_does_not_repeat_the_others(bot: Bot) -> None:
    names = ("Mia", "Jonas", "Priya")
    await request_dms(bot, *names)
    bot.discord.faults.add(Status(503), match=dm_request(bot, "Priya"), times=1)
    row = await bot.row(await bot.game(names))
    with pytest.raises(TransientError):
        await bot.deliver(row)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert [len(dms_to(bot, name)) for name in names] == [1, 1, 1]
    assert len(bot.sent()) == 4


async def test_a_dm_whose_response_was_lost_is_not_sent_twice(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    bot.discord.faults.add(Drop(accepted=True), match=dm_request(bot, "Mia"), times=1)
    assert await bot.deliver_until_settled(await bot.row(await bot.game(("Mia",)))) is Outcome.DELIVERED
    assert len(dms_to(bot, "Mia")) == 1


async def test_a_player_who_left_before_the_dm_gets_none(bot: Bot) -> None:
    await request_dms(bot, "Mia", opened=False)
    game = await bot.game(("Mia", "Jonas"))
    bot.discord.faults.add(Status(503), match=OPENING, times=1)
    row = await bot.row(game)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=bot.discord.world.user("Mia").id)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert dms_to(bot, "Mia") == []


async def test_opening_dms_too_fast_pauses_only_the_opening_of_dms(bot: Bot) -> None:
    await request_dms(bot, "Mia", opened=False)
    refused = bot.discord.faults.add(Refuse(40003), match=OPENING)
    row = await bot.row(await bot.game(("Mia", "Jonas")))
    with pytest.raises(TransientError):
        await bot.deliver(row)
    for _ in range(3):
        await bot.deliver(row)  # deferred: opening DMs is paused
    assert (refused.fired, await bot.outcome(row)) == (1, None)
    [public] = channel_messages(bot)
    assert set(public.pinged_users) == {bot.discord.world.user("Jonas").id}
    assert await bot.deliver_until_settled(await bot.row(await bot.game(("Ben",)))) is Outcome.DELIVERED


@pytest.mark.parametrize("fault", [Status(503), Drop(), Hang(5.0)], ids=["503", "reset", "time-out"])
async def test_an_unanswered_request_to_open_a_dm_does_not_pause_others(bot: Bot, fault: Status | Drop | Hang) -> None:
    await request_dms(bot, "Mia", opened=False)
    bot.discord.faults.add(fault, match=OPENING, times=1)
    row = await bot.row(await bot.game(("Mia",)))
    with pytest.raises(TransientError):
        await bot.deliver(row)
    async with asyncio.timeout(DM_OPEN_PAUSE / 2):
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(dms_to(bot, "Mia")) == 1


@pytest.mark.parametrize("accepted", [True, False], ids=["sent", "not sent"])
async def test_dms_that_close_after_an_uncertain_attempt_are_searched_for_it(bot: Bot, accepted: bool) -> None:
    await request_dms(bot, "Mia")
    mia = bot.discord.world.user("Mia").id
    bot.discord.faults.add(Drop(accepted=accepted), match=dm_request(bot, "Mia"), times=1)
    row = await bot.row(await bot.game(("Mia",)))
    with pytest.raises(TransientError):
        await bot.deliver(row)
    bot.discord.faults.add(
        Refuse(50007), match=dm_request(bot, "Mia")
    )  # before Discord looks for the nonce, if it does
    await bot.deliver(row)
    assert await bot.outcome(row) is None  # not known yet
    async with db.transaction(bot.database.sessions) as session:
        ago = func.clock_timestamp() - timedelta(minutes=5)
        sending = NotificationDelivery.state == DeliveryState.SENDING
        await allow_any_change(session)
        await session.execute(update(NotificationDelivery).where(sending).values(first_sending_at=ago, lease_until=ago))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    mentioned = [message for message in channel_messages(bot) if mia in message.pinged_users]
    assert (len(dms_to(bot, "Mia")), len(mentioned)) == ((1, 0) if accepted else (0, 1))


async def turn_reminders_off(bot: Bot, *names: str) -> None:
    async with db.transaction(bot.database.sessions) as session:
        for name in names:
            await users.change_own_settings(session, bot.discord.world.user(name).id, reminders_off=True)


@pytest.mark.parametrize("wants_dm", [False, True], ids=["mention", "DM"])
async def test_a_player_who_turned_reminders_off_gets_none_but_learns_of_the_cancellation(
    bot: Bot, wants_dm: bool
) -> None:
    if wants_dm:
        await request_dms(bot, "Mia")
    await turn_reminders_off(bot, "Mia")
    mia, jonas = (bot.discord.world.user(name).id for name in ("Mia", "Jonas"))
    game = await bot.game(("Mia", "Jonas"))
    assert await bot.deliver_until_settled(await bot.row(game)) is Outcome.DELIVERED
    [reminder] = bot.sent()
    assert (reminder.recipient_id, set(reminder.pinged_users) - {game.host_id}) == (None, {jonas})
    async with db.transaction(bot.database.sessions) as session:
        await cancel_game(session, game.id)
    assert await bot.deliver_until_settled(await bot.row(game, NotificationKind.CANCELLATION)) is Outcome.DELIVERED
    recipients = {user for message in bot.sent()[1:] for user in (*message.pinged_users, message.recipient_id)}
    assert {mia, jonas} <= recipients


async def test_a_player_who_turns_reminders_off_while_one_waits_gets_none(bot: Bot) -> None:
    await request_dms(bot, "Mia", opened=False)
    bot.discord.faults.add(Status(503), match=OPENING, times=1)
    row = await bot.row(await bot.game(("Mia", "Jonas")))
    with pytest.raises(TransientError):
        await bot.deliver(row)
    await turn_reminders_off(bot, "Mia")
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert dms_to(bot, "Mia") == []


async def test_the_channel_does_not_speak_of_dms_if_nobody_wants_to_be_reminded(bot: Bot) -> None:
    await turn_reminders_off(bot, "Mia")
    row = await bot.row(await bot.game(("Mia",), host_id=bot.discord.world.user("Mia").id))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [public] = channel_messages(bot)
    assert (len(public.pinged_users), "by DM" in public.content) == (0, False)
