"""What is known about an attempt is recorded, however long the database is unavailable."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.discord.faults.model import Match, Slow
from shared.errors import TransientError
from shared.models import DeliveryState, Outcome
from shared.settings import Timing
from tests.integration.delivery.conftest import Bot, event_of
from tests.support.builders import make_due_now
from tests.support.waiting import eventually

RESPONSE = 1.5
"""Seconds until Discord responds, in which the database goes."""


@pytest.fixture
def timing() -> Timing:
    return Timing(request_timeout=3.0, lease=4.0, nonce_window=5.0, settle_timeout=6.0, backoff_max=1.0)


@pytest.mark.parametrize("outage", ["stopped", "read-only"])
async def test_a_known_result_outlives_an_outage_longer_than_the_nonce_window(
    bot: Bot, timing: Timing, outage: str
) -> None:
    row = await bot.row(await bot.game())
    slow = bot.discord.faults.add(Slow(RESPONSE), match=Match(method="POST", route=r"/channels/\d+/messages$"))
    delivering = asyncio.create_task(bot.deliver(row))
    await eventually(lambda: slow.fired)
    if outage == "stopped":
        await bot.postgres.stop()
    else:
        await bot.postgres.set_read_only(True)
    try:
        assert not bot.sent(), "Discord accepts it during the outage"
        await asyncio.sleep(RESPONSE + timing.nonce_window + timing.backoff_max)
        assert bot.sent()
        assert not delivering.done()
    finally:
        if outage == "stopped":
            await bot.postgres.start()
        else:
            await bot.postgres.set_read_only(False)
    await delivering
    [delivery], [message] = await bot.ledger(row), bot.sent()
    assert await bot.outcome(row) is Outcome.DELIVERED
    assert (delivery.state, delivery.message_id) == (DeliveryState.SENT, message.message_id)


async def test_a_server_that_only_reads_rejects_no_message_and_its_failure_is_recorded(bot: Bot) -> None:
    game = await bot.game()
    row = await bot.row(game)
    await make_due_now(bot.database.sessions, row)
    await bot.postgres.set_read_only(True)
    try:
        delivering = asyncio.create_task(bot.handle(event_of(row)))
        await asyncio.sleep(1.0)  # the test checks that it is not done meanwhile
        assert not delivering.done()
    finally:
        await bot.postgres.set_read_only(False)
    with pytest.raises(TransientError, match="the server only reads"):
        await delivering
    recorded = await bot.row(game)
    assert recorded.last_error is not None and "the server only reads" in recorded.last_error
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(bot.sent()) == 1
