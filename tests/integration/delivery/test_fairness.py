"""A slow or rate-limited channel delays no other channel, and outages of Discord and PostgreSQL reject nothing."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from bot.delivery.circuit_breaker import THRESHOLD
from sandbox.discord.faults.model import Hang, Match, Status, TooMany
from sandbox.discord.rate_limits import Window
from shared import database as db
from shared.errors import TransientError
from shared.models import NotificationSchedule, Outcome
from tests.integration.delivery.conftest import Bot, event_of
from tests.support.builders import make_due_now
from tests.support.waiting import eventually

SENDING = Match(method="POST", route=r"/channels/\d+/messages$")
EVERYTHING = Match()
PAUSE = 30.0
"""Seconds that Discord asks a channel to wait."""
MEANWHILE = 10.0
"""Seconds for work that takes half a second on an idle machine, and twice as long if it waits for the slow channel."""


def in_channel(channel: int) -> Match:
    return Match(method="POST", route=rf"/channels/{channel}/messages$")


async def rows_in(bot: Bot, channel: int, count: int) -> list[NotificationSchedule]:
    return [await bot.row(await bot.game(("Mia",), channel=channel)) for _ in range(count)]


async def deliver_all(bot: Bot, rows: list[NotificationSchedule]) -> None:
    await asyncio.gather(*(bot.deliver(row) for row in rows), return_exceptions=True)


def add_channel(bot: Bot) -> int:
    guild = next(iter(bot.discord.world.guilds.values()))
    return bot.discord.world.add_channel(guild, "another-table").id


async def test_a_rate_limited_channel_gets_at_most_its_two_requests(bot: Bot) -> None:
    limited = bot.discord.faults.add(TooMany(retry_after=PAUSE), match=in_channel(bot.channel))
    bad = await rows_in(bot, bot.channel, 20)
    good = [row for _ in range(3) for row in await rows_in(bot, add_channel(bot), 1)]
    began = time.monotonic()
    delivering = asyncio.create_task(deliver_all(bot, bad))
    await deliver_all(bot, good)
    assert time.monotonic() - began < MEANWHILE
    await delivering
    assert limited.fired <= 2
    assert [await bot.outcome(row) for row in good] == [Outcome.DELIVERED] * 3


async def test_a_channel_at_its_limit_gets_no_request_that_discord_would_refuse(bot: Bot) -> None:
    bot.discord.limits.create_message = Window(5, 3.0)
    rows = await rows_in(bot, bot.channel, 12)
    assert await asyncio.gather(*(bot.deliver_until_settled(row) for row in rows)) == [Outcome.DELIVERED] * 12
    assert (len(bot.sent()), bot.discord.refused["create_message"]) == (12, 0)


async def test_a_hanging_channel_does_not_block_its_other_reminders(bot: Bot) -> None:
    hanging = bot.discord.faults.add(Hang(20.0), match=in_channel(bot.channel))
    bad = await rows_in(bot, bot.channel, 20)
    began = time.monotonic()
    await deliver_all(bot, bad)
    assert time.monotonic() - began < MEANWHILE, "one after the other it would take twenty"
    assert hanging.fired <= 4


async def test_a_global_429_defers_everything_for_as_long_as_it_says(bot: Bot) -> None:
    bot.discord.faults.add(TooMany(retry_after=5.0, scope="global"), match=SENDING, times=1)
    [first], [other] = await rows_in(bot, bot.channel, 1), await rows_in(bot, add_channel(bot), 1)
    with pytest.raises(TransientError):
        await bot.deliver(first)
    await bot.deliver(other)
    assert bot.sent() == []
    assert await bot.deliver_until_settled(other) is Outcome.DELIVERED


async def test_deliveries_wait_while_discord_is_unavailable(bot: Bot) -> None:
    away = bot.discord.faults.add(Status(503), match=EVERYTHING)
    for row in await rows_in(bot, bot.channel, THRESHOLD):
        with pytest.raises(TransientError):
            await bot.deliver(row)
    tried = away.fired
    rows = [row for _ in range(10) for row in await rows_in(bot, add_channel(bot), 1)]
    delivering = asyncio.create_task(deliver_all(bot, rows))
    await eventually(lambda: away.fired > tried)  # by a probe
    assert not delivering.done()
    assert away.fired - tried < len(rows)
    bot.discord.faults.clear()
    await delivering
    assert [await bot.outcome(row) for row in rows] == [Outcome.DELIVERED] * 10


async def test_a_database_outage_rejects_no_message(bot: Bot) -> None:
    [row] = await rows_in(bot, bot.channel, 1)
    await make_due_now(bot.database.sessions, row)
    server = bot.postgres
    await server.stop()
    try:
        delivering = asyncio.create_task(bot.handle(event_of(row)))
        with capture_logs() as logs:
            await eventually(lambda: any(log["action"] == "failure_unrecorded" for log in logs))
        assert not delivering.done()
    finally:
        await server.start()
    with pytest.raises(TransientError):
        await delivering
    async with db.transaction(bot.database.sessions) as session:
        now = await session.get(NotificationSchedule, row.id)
        assert now is not None and now.last_error is not None and "database" in now.last_error
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
