"""How many requests pass in a second, and who need not wait."""

from __future__ import annotations

import asyncio

import pytest

from bot.delivery.errors import DeliveryDeferredError
from bot.delivery.limits import BURST, IN_FLIGHT_PER_CHANNEL, REQUESTS_PER_SECOND, HeadStart, Limits
from shared.discord.errors import RateLimitedError

CHANNEL, ANOTHER = 1, 2


async def test_after_a_pause_no_second_has_more_requests_than_the_limit() -> None:
    limits, passed = Limits(), 0

    async def ask() -> None:
        nonlocal passed
        while True:
            await limits.one_more()
            passed += 1

    asking = [asyncio.create_task(ask()) for _ in range(20)]
    try:
        async with asyncio.timeout(1.0):
            await asyncio.Event().wait()
    except TimeoutError:
        for task in asking:
            task.cancel()
    assert REQUESTS_PER_SECOND / 2 < passed <= REQUESTS_PER_SECOND


async def test_a_head_start_is_had_once_and_given_back() -> None:
    limits = Limits()
    starts = [HeadStart(limits) for _ in range(IN_FLIGHT_PER_CHANNEL + 1)]
    assert [await start.take(CHANNEL) for start in starts] == [True, True, False]
    assert await starts[0].take(CHANNEL)  # it has it already
    with starts[0].used():
        pass
    starts[1].end()
    assert [await HeadStart(limits).take(CHANNEL) for _ in starts] == [True, True, False]


async def test_a_head_start_that_is_over_takes_nothing() -> None:
    limits = Limits()
    start = HeadStart(limits)
    start.end()
    assert not await start.take(CHANNEL)
    assert await HeadStart(limits).take(CHANNEL)


async def test_nobody_has_a_head_start_over_those_who_wait_or_beyond_the_rate() -> None:
    limits = Limits()
    assert [await HeadStart(limits).take(channel) for channel in range(BURST + 1)] == [True] * BURST + [False]
    waiting = asyncio.create_task(limits.one_more())
    await asyncio.sleep(0)
    while not limits._rate.has_capacity():  # the loop does not turn, so who waits does not notice
        pass
    assert not await HeadStart(limits).take(CHANNEL)
    await waiting


async def test_a_429_in_a_head_start_closes_the_channel_or_everything() -> None:
    for is_global in (False, True):
        limits = Limits()
        start = HeadStart(limits)
        assert await start.take(CHANNEL)
        with pytest.raises(RateLimitedError), start.used():
            raise RateLimitedError("slower", retry_after=60.0, is_global=is_global)
        with pytest.raises(DeliveryDeferredError):
            async with limits.slot(CHANNEL):
                pass
        assert not await HeadStart(limits).take(CHANNEL)
        assert await HeadStart(limits).take(ANOTHER) is not is_global


async def test_a_short_pause_does_not_end_a_long_one() -> None:
    limits = Limits()
    limits.close((CHANNEL, True), 60.0)
    limits.close((CHANNEL, True), 0.0)
    with pytest.raises(DeliveryDeferredError):
        async with limits.slot(CHANNEL):
            pass
