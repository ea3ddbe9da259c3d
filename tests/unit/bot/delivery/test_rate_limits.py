"""How many requests pass in a second, and which need not wait."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from bot.delivery import rate_limits
from bot.delivery.errors import DeliveryDeferredError
from bot.delivery.rate_limits import (
    BURST,
    BURST_OF_SHARE,
    DM_OPENS_LIMIT,
    DM_OPENS_RESERVED,
    DM_OPENS_WINDOW,
    IN_FLIGHT_PER_CHANNEL,
    REQUESTS_PER_SECOND,
    SMALLEST_SHARE,
    RateLimiter,
)
from shared.discord.client import ChannelLimit
from shared.discord.errors import RateLimitedError
from tests.support.clock import Clock

CHANNEL, ANOTHER = 1, 2


async def test_after_a_pause_no_second_has_more_requests_than_the_limit() -> None:
    assert REQUESTS_PER_SECOND / 2 < await count_in_a_second(RateLimiter().acquire_request) <= REQUESTS_PER_SECOND


async def test_reserved_requests_are_bounded_by_the_burst_and_can_be_released() -> None:
    limiter = RateLimiter()
    reserved = [limiter.try_acquire() for _ in range(BURST + 1)]
    assert [slot is not None for slot in reserved] == [True] * BURST + [False]
    assert reserved[0] is not None
    reserved[0].release()
    reserved[0].release()
    assert limiter.try_acquire() is not None
    assert limiter.try_acquire() is None


async def test_a_reserved_request_is_used_once() -> None:
    limiter = RateLimiter()
    reserved = limiter.try_acquire()
    async with limiter.admit(CHANNEL, reserved=reserved):
        pass
    others = [limiter.try_acquire() for _ in range(BURST)]
    assert [slot is not None for slot in others] == [True] * (BURST - 1) + [False]


async def test_nothing_is_reserved_while_a_request_waits() -> None:
    limiter = RateLimiter()
    for _ in range(BURST):
        await limiter.acquire_request()
    waiting = asyncio.create_task(limiter.acquire_request())
    await asyncio.sleep(0)
    while not limiter._requests.has_capacity():  # this blocks the event loop, so the waiting task does not notice
        pass
    assert limiter.try_acquire() is None
    await waiting


async def test_a_reservation_names_the_channels_that_must_be_waited_for() -> None:
    limiter = RateLimiter(burst=IN_FLIGHT_PER_CHANNEL + 1)
    async with AsyncExitStack() as in_flight:
        for _ in range(IN_FLIGHT_PER_CHANNEL):
            await in_flight.enter_async_context(limiter.admit(CHANNEL))
        limiter.block((ANOTHER, True), 60.0)
        reserved = limiter.try_acquire()
        assert reserved is not None
        assert reserved.busy_channels == {CHANNEL, ANOTHER}


async def test_an_edit_does_not_make_a_channel_busy_for_messages() -> None:
    limiter = RateLimiter()
    limiter.block((CHANNEL, False), 60.0)
    reserved = limiter.try_acquire()
    assert reserved is not None
    assert reserved.busy_channels == frozenset()


async def test_a_reserved_request_for_a_channel_that_became_busy_is_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "CHANNEL_WAIT_TIMEOUT", 0.01)
    limiter = RateLimiter()
    reserved = limiter.try_acquire()
    async with limiter.admit(CHANNEL), limiter.admit(CHANNEL):
        with pytest.raises(DeliveryDeferredError):
            async with limiter.admit(CHANNEL, reserved=reserved):
                pass


@pytest.mark.parametrize("is_global", [False, True])
async def test_a_429_blocks_the_channel_or_everything(is_global: bool) -> None:
    limiter = RateLimiter()
    with pytest.raises(RateLimitedError):
        async with limiter.admit(CHANNEL):
            raise RateLimitedError("slower", retry_after=60.0, is_global=is_global)
    with pytest.raises(DeliveryDeferredError):
        async with limiter.admit(CHANNEL):
            pass
    reserved = limiter.try_acquire()
    assert reserved is None if is_global else reserved is not None and reserved.busy_channels == {CHANNEL}


async def test_a_short_pause_does_not_end_a_long_one() -> None:
    limiter = RateLimiter()
    limiter.block((CHANNEL, True), 60.0)
    limiter.block((CHANNEL, True), 0.0)
    with pytest.raises(DeliveryDeferredError):
        async with limiter.admit(CHANNEL):
            pass


async def test_a_channel_that_accepts_no_more_is_deferred_until_it_does(clock: Clock) -> None:
    limiter = RateLimiter()
    limiter.learn("create_message", CHANNEL, ChannelLimit(remaining=0, reset_after=3.0))
    with pytest.raises(DeliveryDeferredError) as deferred:
        async with limiter.admit(CHANNEL):
            pass
    assert deferred.value.retry_after == pytest.approx(3.0)
    reserved = limiter.try_acquire()
    assert reserved is not None
    assert reserved.busy_channels == {CHANNEL}
    clock.now += 3.0
    async with limiter.admit(CHANNEL), limiter.admit(ANOTHER):
        pass


async def test_requests_without_an_answer_count_as_accepted() -> None:
    limiter = RateLimiter()
    limiter.learn("create_message", CHANNEL, ChannelLimit(remaining=1, reset_after=3.0))
    async with limiter.admit(CHANNEL):
        with pytest.raises(DeliveryDeferredError):
            async with limiter.admit(CHANNEL):
                pass
    async with limiter.admit(CHANNEL):  # that one was not counted by Discord
        pass


async def test_an_answer_that_was_overtaken_allows_nothing() -> None:
    limiter = RateLimiter()
    limiter.learn("create_message", CHANNEL, ChannelLimit(remaining=0, reset_after=3.0))
    limiter.learn("create_message", CHANNEL, ChannelLimit(remaining=1, reset_after=3.0))
    with pytest.raises(DeliveryDeferredError):
        async with limiter.admit(CHANNEL):
            pass


async def test_the_limit_of_edits_is_another(clock: Clock) -> None:
    limiter = RateLimiter()
    limiter.learn("edit_message", CHANNEL, ChannelLimit(remaining=0, reset_after=3.0))
    async with limiter.admit(CHANNEL):
        pass
    with pytest.raises(DeliveryDeferredError):
        async with limiter.admit(CHANNEL, urgent=False):
            pass


def without_rate() -> RateLimiter:
    """Return the limits without that of all requests, which the clock would stop."""
    return RateLimiter(requests_per_second=1e9, burst=5e8)


async def open_dms(limiter: RateLimiter, *, urgent: bool = True) -> int:
    """Open direct messages until one is deferred, and return how many there were."""
    opened = 0
    while True:
        try:
            async with limiter.acquire_dm_open(urgent=urgent):
                opened += 1
        except DeliveryDeferredError:
            return opened


async def test_the_first_direct_messages_are_opened_at_once_and_no_minute_has_more_than_thirty(clock: Clock) -> None:
    limiter, opened = without_rate(), []
    for _ in range(180):
        opened.append(await open_dms(limiter))
        clock.now += 1.0
    assert opened[0] == 10
    assert max(sum(opened[start : start + 60]) for start in range(120)) == 30
    assert sum(opened) == 90


async def test_a_deferred_direct_message_is_told_when_it_may_be_opened(clock: Clock) -> None:
    limiter = without_rate()
    await open_dms(limiter)
    clock.now += 5.0
    with pytest.raises(DeliveryDeferredError) as deferred:
        async with limiter.acquire_dm_open(urgent=True):
            pass
    assert deferred.value.retry_after == DM_OPENS_WINDOW - 5.0
    clock.now += DM_OPENS_WINDOW - 5.0
    assert await open_dms(limiter) == DM_OPENS_LIMIT


async def test_direct_messages_that_can_wait_leave_a_part_of_the_limit_to_the_urgent_ones(clock: Clock) -> None:
    limiter = without_rate()
    assert await open_dms(limiter, urgent=False) == DM_OPENS_LIMIT - DM_OPENS_RESERVED
    assert await open_dms(limiter) == DM_OPENS_RESERVED


async def test_a_direct_message_that_can_wait_is_opened_after_the_urgent_ones(clock: Clock) -> None:
    limiter = without_rate()
    await open_dms(limiter)
    clock.now += DM_OPENS_WINDOW  # more may be opened
    with pytest.raises(DeliveryDeferredError, match="of reminders are opened first"):
        async with limiter.acquire_dm_open(urgent=False):
            pass
    async with limiter.acquire_dm_open(urgent=True):
        pass


async def count_in_a_second(*acquire: Callable[[], Awaitable[None]]) -> int:
    """Return how many requests pass all of `acquire` in a second after a pause, with many waiting."""
    passed = 0

    async def ask() -> None:
        nonlocal passed
        while True:
            for step in acquire:
                await step()
            passed += 1

    asking = [asyncio.create_task(ask()) for _ in range(20)]
    await asyncio.wait(asking, timeout=1.0)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    return passed


@pytest.mark.parametrize("share", [5.0, REQUESTS_PER_SECOND / 3, 25.0])
async def test_a_process_of_several_makes_no_more_requests_than_its_share(share: float) -> None:
    limiter = RateLimiter()
    limiter.take_share(share, ends=math.inf)
    assert share / 2 < await count_in_a_second(limiter.acquire_request) <= share


@pytest.mark.parametrize("share", [5.0, REQUESTS_PER_SECOND / 3, 25.0])
async def test_requests_that_were_admitted_before_are_not_sent_all_at_once(share: float) -> None:
    limiter = RateLimiter()
    limiter.take_share(share, ends=math.inf)
    is_committed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, is_committed.set)

    async def wait_for_commit() -> None:
        await is_committed.wait()

    passed = await count_in_a_second(limiter.acquire_request, wait_for_commit, limiter.pace)
    assert 0 < passed <= share / 2 + BURST_OF_SHARE


async def test_an_admitted_request_that_would_wait_long_is_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "PACE_TIMEOUT", 0.1)
    limiter = RateLimiter()
    limiter.take_share(SMALLEST_SHARE, ends=math.inf)
    await limiter.pace()
    with pytest.raises(DeliveryDeferredError, match="wait to be sent"):
        await limiter.pace()


async def test_requests_of_others_go_first_and_count_as_admitted(clock: Clock) -> None:
    limiter = RateLimiter()
    for _ in range(BURST):
        await limiter.pace_first()
    assert limiter.try_acquire() is None


async def test_a_share_that_shrinks_holds_for_those_who_wait_already() -> None:
    limiter = RateLimiter()
    limiter.take_share(40.0, ends=math.inf)
    asking = [asyncio.create_task(limiter.acquire_request()) for _ in range(40)]
    await asyncio.sleep(0)
    limiter.take_share(5.0, ends=math.inf)
    done, waiting = await asyncio.wait(asking, timeout=1.0)
    assert len(done) <= 5
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


@pytest.mark.parametrize("share", [0.0, SMALLEST_SHARE / 2])
async def test_a_process_without_a_share_makes_no_request(share: float) -> None:
    limiter = RateLimiter()
    limiter.take_share(share, ends=math.inf)
    await check_no_request(limiter)


async def test_a_share_ends_with_its_lease() -> None:
    limiter = RateLimiter()
    limiter.take_share(25.0, ends=asyncio.get_running_loop().time())
    await check_no_request(limiter)


async def check_no_request(limiter: RateLimiter) -> None:
    assert limiter.try_acquire() is None
    with pytest.raises(DeliveryDeferredError, match="no share"):
        await limiter.acquire_request()
    for request in (limiter.admit(CHANNEL), limiter.admit(CHANNEL, urgent=False), limiter.acquire_dm_open(urgent=True)):
        with pytest.raises(DeliveryDeferredError):
            async with request:
                pytest.fail("a request was made")


@pytest.mark.parametrize("processes", [2, 3, 10])
async def test_several_processes_together_open_no_more_dms_than_one(processes: int) -> None:
    opened = 0
    for _ in range(processes):
        limiter = RateLimiter()
        limiter.take_share(REQUESTS_PER_SECOND / processes, ends=math.inf)
        with contextlib.suppress(DeliveryDeferredError):
            while True:
                async with limiter.acquire_dm_open(urgent=True):
                    opened += 1
    assert DM_OPENS_LIMIT * 0.9 <= opened <= DM_OPENS_LIMIT


@pytest.mark.parametrize("share", [SMALLEST_SHARE, 5.0, 8.5, 9.9, 17.0])
async def test_any_share_lets_each_kind_of_direct_message_be_opened(share: float) -> None:
    limiter = RateLimiter()
    limiter.take_share(share, ends=math.inf)
    async with limiter.acquire_dm_open(urgent=False):
        pass


async def test_opening_a_direct_message_counts_as_a_request(clock: Clock) -> None:
    limiter = RateLimiter()
    async with limiter.acquire_dm_open(urgent=True):
        pass
    reserved = [limiter.try_acquire() for _ in range(BURST)]
    assert [slot is not None for slot in reserved] == [True] * (BURST - 1) + [False]


async def test_opening_a_direct_message_goes_before_requests_that_hold_no_lease() -> None:
    limiter = RateLimiter()
    waiting = [asyncio.create_task(limiter.acquire_request()) for _ in range(3 * BURST)]
    await asyncio.sleep(0)
    async with limiter.acquire_dm_open(urgent=True):
        assert sum(task.done() for task in waiting) == BURST
    await asyncio.gather(*waiting)
