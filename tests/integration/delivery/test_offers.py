"""The end of an offer, delivered: the user who loses the seat is notified once, and the next is offered it."""

from __future__ import annotations

import asyncio
import re

import pytest

from sandbox.discord.faults.model import Status
from shared import database as db
from shared.confirmations import ConfirmResult, confirm_attendance
from shared.errors import TransientError
from shared.models import Game, NotificationKind, NotificationSchedule, Outcome
from shared.offers import end_offer
from shared.signup import join_game, list_players
from tests.integration.delivery.conftest import Bot
from tests.integration.delivery.test_direct_messages import channel_messages, dms_to, request_dms
from tests.integration.delivery.test_hosts import names
from tests.integration.delivery.test_promotions import CREATE, leave
from tests.support.builders import make_due, rows_of

OFFER_END, PROMOTION = NotificationKind.OFFER_END, NotificationKind.PROMOTION


async def offer(bot: Bot) -> tuple[Game, NotificationSchedule]:
    """A game with one seat, which was offered to Jonas when Mia left, and whose time is over. Ben waits."""
    game = await bot.game(("Mia", "Jonas", "Ben"), capacity=1, offer_minutes=30)
    await leave(bot, game, "Mia")
    [promotion] = await rows_of(bot.database.sessions, game, PROMOTION)
    assert await bot.deliver_until_settled(promotion) is Outcome.DELIVERED
    [row] = await rows_of(bot.database.sessions, game, OFFER_END)
    await make_due(bot.database.sessions, row)
    return game, row


async def players(bot: Bot, game: Game) -> list[int]:
    async with db.transaction(bot.database.sessions) as session:
        return await list_players(session, game.id)


def user(bot: Bot, name: str) -> int:
    return bot.discord.world.user(name).id


async def test_the_offer_says_until_when_and_has_two_buttons(bot: Bot) -> None:
    game, row = await offer(bot)
    [message] = channel_messages(bot)
    assert names(bot, message) == {"Jonas"}
    [until] = re.findall(r"Press \*\*Take it\*\* by <t:(\d+):f>", message.content)
    assert int(until) == pytest.approx(row.created_at.timestamp() + 1800, abs=2)
    shown = bot.discord.world.message(message.message_id)
    assert shown is not None
    [parts] = [part["components"] for part in shown.components]
    assert [part["label"] for part in parts] == ["Take it", "Can't make it"]
    assert all(not part["custom_id"].endswith(str(game.id)) for part in parts)


@pytest.mark.parametrize("wants_dm", [False, True])
async def test_whoever_loses_the_seat_is_told_alone_and_the_next_is_offered_it(bot: Bot, wants_dm: bool) -> None:
    game, row = await offer(bot)
    if wants_dm:
        await request_dms(bot, "Jonas")
    before = len(channel_messages(bot))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert await players(bot, game) == [user(bot, "Ben")]
    sent = dms_to(bot, "Jonas") if wants_dm else channel_messages(bot)[before:]
    [message] = sent
    assert message.content.startswith("⌛ You didn't take the seat by")
    assert wants_dm or names(bot, message) == {"Jonas"}
    await asyncio.gather(*(bot.deliver(row) for _ in range(3)))
    following = await bot.row(game, PROMOTION)
    assert following.user_id == user(bot, "Ben") and following.outcome is None
    assert len(dms_to(bot, "Jonas")) == wants_dm


async def test_after_a_crash_between_the_two_the_user_is_still_told_once(bot: Bot) -> None:
    game, row = await offer(bot)
    async with db.transaction(bot.database.sessions) as session:
        assert await end_offer(session, row.id)
        await join_game(session, game.id, user_id=user(bot, "Jonas"))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(channel_messages(bot)) == 2
    assert await players(bot, game) == [user(bot, "Ben")]


async def test_a_message_whose_response_is_lost_is_not_repeated(bot: Bot) -> None:
    _, row = await offer(bot)
    bot.discord.faults.add(Status(502, accepted=True), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(channel_messages(bot)) == 2


async def test_a_seat_that_was_taken_late_but_first_stays(bot: Bot) -> None:
    game, row = await offer(bot)
    async with db.transaction(bot.database.sessions) as session:
        assert await confirm_attendance(session, game.id, user_id=user(bot, "Jonas")) is ConfirmResult.SEAT_TAKEN
    await bot.deliver(row)
    assert await bot.outcome(row) is Outcome.SUPERSEDED
    assert await players(bot, game) == [user(bot, "Jonas")]
    assert len(channel_messages(bot)) == 1
