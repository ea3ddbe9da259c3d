"""Attempts without a result: each is resolved before its notification is settled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, update

from bot.delivery.circuit_breaker import THRESHOLD
from sandbox.discord.faults.model import Drop, Match, Refuse, Status, TooMany
from shared import database as db
from shared.editing import GameEdit, edit_game
from shared.errors import TransientError
from shared.games import cancel_game
from shared.models import (
    DeliveryState,
    Game,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
)
from shared.schedule.settle import settle_and_log
from tests.integration.delivery.conftest import Bot
from tests.support.builders import make_due, rows_of
from tests.support.transition_check import allow_any_change
from tests.support.waiting import WAIT_TIMEOUT

ANNOUNCEMENT, REMINDER = NotificationKind.ANNOUNCEMENT, NotificationKind.REMINDER
CREATE = Match(method="POST", route=r"/channels/\d+/messages$")
READ = Match(method="GET", route=r"/channels/\d+/messages")


async def attempt(bot: Bot, row: NotificationSchedule, *, accepted: bool) -> None:
    """Send a notification without hearing whether Discord accepted it."""
    bot.discord.faults.add(Status(502, accepted=accepted), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)


async def age(bot: Bot) -> None:
    """Let two minutes pass for all attempts without a result."""
    async with db.transaction(bot.database.sessions) as session:
        ago = func.clock_timestamp() - timedelta(minutes=2)
        await allow_any_change(session)
        sending = NotificationDelivery.state == DeliveryState.SENDING
        await session.execute(update(NotificationDelivery).where(sending).values(first_sending_at=ago, lease_until=ago))


async def cancel(bot: Bot, game: Game) -> None:
    async with db.transaction(bot.database.sessions) as session:
        await cancel_game(session, game.id)


async def move(bot: Bot, game: Game) -> None:
    async with db.transaction(bot.database.sessions) as session:
        await edit_game(session, game.id, GameEdit(scheduled_at=game.scheduled_at + timedelta(days=1)))


async def remove_reminders(bot: Bot, game: Game) -> None:
    async with db.transaction(bot.database.sessions) as session:
        await session.execute(update(Game).where(Game.id == game.id).values(reminder_offsets=[]))


async def overtake(bot: Bot, game: Game) -> None:
    first, second = await rows_of(bot.database.sessions, game, REMINDER)
    await make_due(bot.database.sessions, first, ago=timedelta(minutes=50))
    await make_due(bot.database.sessions, second)


async def begin(bot: Bot, game: Game) -> None:
    async with db.transaction(bot.database.sessions) as session:
        await allow_any_change(session)
        begun = func.clock_timestamp() - timedelta(seconds=61)
        await session.execute(update(NotificationSchedule).values(game_scheduled_at=begun))


Change = Callable[[Bot, Game], Awaitable[None]]


@pytest.mark.parametrize("accepted", [True, False], ids=["sent", "not sent"])
@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (cancel, Outcome.SUPERSEDED),
        (move, Outcome.SUPERSEDED),
        (remove_reminders, Outcome.SUPERSEDED),
        (overtake, Outcome.SUPERSEDED),
        (begin, Outcome.EXPIRED),
    ],
)
async def test_a_reminder_is_settled_only_when_its_attempt_has_a_result(
    bot: Bot, change: Change, outcome: Outcome, accepted: bool
) -> None:
    game = await bot.game()
    row = (await rows_of(bot.database.sessions, game, REMINDER))[0]
    await attempt(bot, row, accepted=accepted)
    await change(bot, game)
    await bot.deliver(row)
    assert await bot.outcome(row) is None  # it may still appear
    await age(bot)
    assert await bot.deliver_until_settled(row) is (Outcome.DELIVERED if accepted else outcome)
    [delivery] = await bot.ledger(row)
    if accepted:
        assert delivery.state is DeliveryState.SENT
    else:  # a superseded reminder may be reopened and sent then
        assert delivery.state is (DeliveryState.PENDING if outcome is Outcome.SUPERSEDED else DeliveryState.FAILED)
    assert len(bot.sent()) == accepted


async def test_a_game_that_is_moved_back_continues_with_the_attempt(bot: Bot) -> None:
    game = await bot.game(offsets=(10,))
    row = await bot.row(game)
    await attempt(bot, row, accepted=True)
    await move(bot, game)
    async with db.transaction(bot.database.sessions) as session:
        await edit_game(session, game.id, GameEdit(scheduled_at=game.scheduled_at))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(bot.sent()) == 1


async def test_an_attempt_that_cannot_be_resolved_is_unknown_before_the_row_is_settled(bot: Bot) -> None:
    game = await bot.game()
    row = await bot.row(game)
    await attempt(bot, row, accepted=True)
    await cancel(bot, game)
    bot.discord.world.deny(bot.channel, "READ_MESSAGE_HISTORY")
    await age(bot)
    assert await bot.deliver_until_settled(row) is Outcome.UNDELIVERABLE
    [delivery] = await bot.ledger(row)
    assert delivery.state is DeliveryState.UNKNOWN


@pytest.mark.parametrize("outcome", [Outcome.UNDELIVERABLE, Outcome.SUPERSEDED, Outcome.EXPIRED])
async def test_settling_a_row_leaves_no_attempt_open(bot: Bot, outcome: Outcome) -> None:
    game = await bot.game()
    row = await bot.row(game)
    await attempt(bot, row, accepted=False)
    await begin(bot, game)
    async with db.transaction(bot.database.sessions) as session:
        await settle_and_log(session, NotificationSchedule, [row.id], outcome=outcome, detail="for another reason")
    [delivery] = await bot.ledger(row)
    assert (delivery.state, delivery.lease_until) == (DeliveryState.UNKNOWN, None)


@pytest.mark.parametrize("kind", [REMINDER, ANNOUNCEMENT])
async def test_a_channel_without_messages_proves_that_nothing_was_sent(bot: Bot, kind: NotificationKind) -> None:
    row = await bot.row(await bot.game(), kind)
    await attempt(bot, row, accepted=False)
    await age(bot)
    assert bot.discord.messages(bot.channel) == []
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(bot.discord.messages(bot.channel)) == 1


async def test_a_channel_that_seems_empty_proves_nothing_without_the_permission_to_read(bot: Bot) -> None:
    row = await bot.row(await bot.game(), ANNOUNCEMENT)
    await attempt(bot, row, accepted=True)
    await age(bot)
    bot.discord.world.deny(bot.channel, "READ_MESSAGE_HISTORY")
    assert await bot.deliver_until_settled(row) is Outcome.UNDELIVERABLE
    [delivery] = await bot.ledger(row)
    assert delivery.state is DeliveryState.UNKNOWN
    [warning] = await rows_of(bot.database.sessions, Game(id=row.game_id), NotificationKind.WARNING)
    assert "Read Message History" in (warning.reason or "")


async def test_an_empty_thread_has_the_permissions_of_its_channel(bot: Bot) -> None:
    thread = bot.discord.world.add_thread(bot.channel, "one-shot", owner="Mia")
    row = await bot.row(await bot.game(channel=thread.id))
    await attempt(bot, row, accepted=True)
    await age(bot)
    bot.discord.world.deny(bot.channel, "READ_MESSAGE_HISTORY")
    assert await bot.deliver_until_settled(row) is Outcome.UNDELIVERABLE


async def test_an_error_while_a_channel_is_read_leaves_the_attempt_open(bot: Bot) -> None:
    row = await bot.row(await bot.game())
    await attempt(bot, row, accepted=False)
    await age(bot)
    for match in (READ, Match(method="GET", route=r"/channels/\d+$"), Match(method="GET", route=r"/guilds/\d+$")):
        bot.discord.faults.add(Status(503), match=match, times=1)
        with pytest.raises(TransientError):
            await bot.deliver(row)
        assert await bot.outcome(row) is None
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED


async def test_a_channel_that_cannot_be_seen_for_a_moment_is_searched_later(bot: Bot) -> None:
    row = await bot.row(await bot.game())
    await attempt(bot, row, accepted=True)
    await age(bot)
    bot.discord.world.deny(bot.channel, "VIEW_CHANNEL")
    with pytest.raises(TransientError):
        await bot.deliver(row)
    bot.discord.world.restore(bot.channel)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(bot.sent()) == 1


async def test_a_rejection_after_an_attempt_without_a_result_does_not_forget_it(bot: Bot) -> None:
    row = await bot.row(await bot.game())
    bot.discord.faults.add(Drop(accepted=True), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    bot.discord.faults.add(Refuse(50035), match=CREATE, times=1)
    await bot.deliver(row)
    assert await bot.outcome(row) is None
    await age(bot)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(bot.sent()) == 1


@pytest.mark.parametrize("answer", [Refuse(50001), Refuse(10003), Refuse(99999), TooMany(0.1)])
async def test_any_answer_to_a_probe_ends_the_outage_and_settles_nothing(bot: Bot, answer: Refuse | TooMany) -> None:
    bot.discord.faults.add(Status(503), match=CREATE, times=THRESHOLD)
    bot.discord.faults.add(answer, match=Match(method="GET", route=r"/gateway$"))
    rows = [await bot.row(await bot.game(channel=channel)) for channel in bot.discord.world.channels]
    for _ in range(THRESHOLD):
        with pytest.raises(TransientError):
            await bot.deliver(rows[0])
    async with asyncio.timeout(WAIT_TIMEOUT):
        for row in rows:
            assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
