"""A user who gets a seat from the waitlist is notified once, where they get their reminders, and nobody else is."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.discord.faults.model import Match, Status
from shared import database as db
from shared.errors import TransientError
from shared.games import cancel_game
from shared.models import Game, NotificationKind, NotificationSchedule, Outcome
from shared.signup import leave_game
from tests.integration.delivery.conftest import Bot
from tests.integration.delivery.test_direct_messages import channel_messages, dms_to, request_dms
from tests.integration.delivery.test_hosts import names
from tests.integration.delivery.test_open_attempts import age
from tests.support.builders import rows_of

CREATE = Match(method="POST", route=r"/channels/\d+/messages$")


async def promotion(bot: Bot, *, leaves: str = "Mia") -> tuple[Game, NotificationSchedule]:
    """A game with one seat, which Jonas gets when Mia leaves. Ben waits."""
    game = await bot.game(("Mia", "Jonas", "Ben"), capacity=1)
    await leave(bot, game, leaves)
    [row] = await rows_of(bot.database.sessions, game, NotificationKind.PROMOTION)
    return game, row


async def leave(bot: Bot, game: Game, name: str) -> None:
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=bot.discord.world.user(name).id)


async def test_the_promoted_player_alone_is_mentioned_in_the_channel(bot: Bot) -> None:
    _, row = await promotion(bot)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [message] = channel_messages(bot)
    assert names(bot, message) == {"Jonas"}
    assert "it's yours" in message.content and "Players: 1/1" in message.content


async def test_a_player_who_wants_dms_gets_one(bot: Bot) -> None:
    await request_dms(bot, "Jonas")
    _, row = await promotion(bot)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(dms_to(bot, "Jonas")) == 1 and channel_messages(bot) == []


async def test_a_message_whose_response_is_lost_is_not_repeated(bot: Bot) -> None:
    _, row = await promotion(bot)
    bot.discord.faults.add(Status(502, accepted=True), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(channel_messages(bot)) == 1


async def test_a_player_who_left_meanwhile_gets_nothing_and_the_next_one_does(bot: Bot) -> None:
    game, row = await promotion(bot)
    await leave(bot, game, "Jonas")
    for _ in range(2):
        rows = await rows_of(bot.database.sessions, game, NotificationKind.PROMOTION)
        await asyncio.gather(*(bot.deliver_until_settled(it) for it in rows if it.outcome is None))
    outcomes = {it.id: it.outcome for it in await rows_of(bot.database.sessions, game, NotificationKind.PROMOTION)}
    assert outcomes.pop(row.id) is Outcome.SUPERSEDED and list(outcomes.values()) == [Outcome.DELIVERED]
    [message] = channel_messages(bot)
    assert names(bot, message) == {"Ben"}


async def test_a_promotion_that_may_be_sent_does_not_follow_the_cancellation(bot: Bot) -> None:
    game, row = await promotion(bot)
    bot.discord.faults.add(Status(503), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    async with db.transaction(bot.database.sessions) as session:
        await cancel_game(session, game.id)
    await age(bot)
    assert await bot.deliver_until_settled(row) is Outcome.SUPERSEDED
    assert channel_messages(bot) == []
