"""The bot's rate limits: Discord's limit for all bots, and what its answers say about each channel.

A request that Discord would reject is not made. Requests for a channel that is slow or at its limit are deferred, so
they do not block other channels. Reminders take priority over announcement edits.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from aiolimiter import AsyncLimiter

from bot.delivery.errors import DeliveryDeferredError
from shared import metrics
from shared.discord.client import ChannelLimit
from shared.discord.errors import ConnectFailedError, RateLimitedError, TemporarilyUnavailableError

REQUESTS_PER_SECOND = 50
"""Discord's limit (https://docs.discord.com/developers/topics/rate-limits#global-rate-limit). Answers to interactions
do not count."""
BURST = 2
"""Requests allowed at once after a pause. No second has more than the limit, so they are taken from the steady rate. A
bucket as large as the limit would let twice as many pass in one second."""
BURST_OF_SHARE = 1.2
"""The burst of one process of several. Every burst is taken from the steady rate, and theirs add up."""
SMALLEST_SHARE = 2.0
"""Requests a second. A process with less makes none."""
EDITS_SHARE = 0.5
"""The share of requests that edits may use."""
DM_OPENS_LIMIT, DM_OPENS_WINDOW = 10, 20.0
"""At most so many DMs are opened in any so many seconds. Opening "a significant amount of DMs too quickly" gets a bot
limited or blocked, at an unpublished rate (https://docs.discord.com/developers/resources/user#create-dm). Several at
once work, and a few dozen do not (https://github.com/DasWolke/SnowTransfer/issues/43). Even the limit that is reported
for accounts of people, 10 in ten minutes (https://github.com/V4NSH4J/discord-mass-DM-GO/issues/52), lets 10 pass at
once. One every two seconds was rejected: it opens as many in a minute, and lets all but the first wait."""
DM_OPENS_RESERVED = 3
"""The part of the limit that is kept for urgent DMs."""
DM_OPEN_PAUSE = 30.0
"""Seconds without opening DMs after a rejection without a delay."""
_AHEAD = 0.99
"""The amount that a request acquires to go first: aiolimiter serves the smallest amount first. It is almost 1, so that
the request still counts."""
IN_FLIGHT_PER_CHANNEL = 2
"""Concurrent requests for one channel."""
CHANNEL_WAIT_TIMEOUT = 0.5
"""Seconds to wait for a channel before its notifications are deferred."""
PACE_TIMEOUT = 2.0
"""Seconds to wait until an admitted request may be sent, before it is deferred. The wait is as long as the slowest
transaction. The lease ends two seconds after the request would time out."""
NEXT_TRY = 2.0
"""Seconds until a request is tried again that has no share of the limit, or too many others before it."""
_CHANNEL_WAIT, _REQUEST_WAIT, _EDIT_WAIT, _SEND_WAIT = map(
    metrics.RATE_LIMIT_WAIT.labels, ("channel", "requests", "edits", "sends")
)
_DEFERRED_RETURN = 4.0
"""Seconds within which a deferred notification is tried again, once it may be."""

RateLimitKey = tuple[int, bool]
"""A channel or user, and whether the request is urgent. Discord limits edits separately."""
GLOBAL: RateLimitKey = (0, True)
DM_OPENS: RateLimitKey = (-1, True)


class RateLimiter:
    """The limits of one bot token in this process."""

    def __init__(self, requests_per_second: float = REQUESTS_PER_SECOND, *, burst: float = BURST) -> None:
        self.share = requests_per_second
        """The requests a second that this process may make."""
        self._share_ends = math.inf
        self._requests = _AdjustableLimiter(burst, burst / (requests_per_second - burst))
        """Admits requests, before their leases are acquired."""
        self._sends = _AdjustableLimiter(burst, burst / (requests_per_second - burst))
        """Spaces admitted requests as they are sent."""
        self._edits = _AdjustableLimiter(requests_per_second * EDITS_SHARE, 1.0)
        metrics.REQUEST_SHARE.set(self.share)
        self._dm_opens_limit = DM_OPENS_LIMIT
        self._dm_opens_reserved = DM_OPENS_RESERVED
        self._dm_opens: deque[float] = deque(maxlen=DM_OPENS_LIMIT)
        """When the last DMs were opened."""
        self._in_flight: WeakValueDictionary[RateLimitKey, asyncio.Semaphore] = WeakValueDictionary()
        self._unanswered: Counter[RateLimitKey] = Counter()
        self._windows: dict[RateLimitKey, _Window] = {}
        self._blocked_until: dict[RateLimitKey, float] = {}
        self._urgent_opens_until = 0.0
        """Until when an urgent DM that had to wait is expected again."""
        self._waiting = 0
        self._reserved = 0

    def take_share(self, requests_per_second: float, *, ends: float) -> None:
        """Use a share of Discord's limit until the event loop's clock is at `ends`, and then make no request."""
        self.share = requests_per_second if requests_per_second >= SMALLEST_SHARE else 0.0
        self._share_ends = ends
        if self.share:
            for limiter in (self._requests, self._sends):
                limiter.adjust(BURST_OF_SHARE, self.share - BURST_OF_SHARE)
            self._edits.adjust(max(1.0, self.share * EDITS_SHARE), self.share * EDITS_SHARE)
        metrics.REQUEST_SHARE.set(self.share)
        fraction = self.share / REQUESTS_PER_SECOND
        self._dm_opens_limit = max(1, int(DM_OPENS_LIMIT * fraction))
        self._dm_opens_reserved = min(round(DM_OPENS_RESERVED * fraction), self._dm_opens_limit - 1)

    def try_acquire(self) -> ReservedRequest | None:
        """Reserve a request, or return None if it would have to wait."""
        is_idle = not self._waiting and self._requests.has_capacity(self._reserved + 1)
        if not is_idle or self._get_remaining_block(GLOBAL) > 0:
            return None
        self._reserved += 1
        return ReservedRequest(self, self._list_busy_channels())

    @asynccontextmanager
    async def admit(
        self, channel_id: int, *, urgent: bool = True, reserved: ReservedRequest | None = None
    ) -> AsyncIterator[None]:
        """Wait for the right to make one request for a channel, or a user for a direct message.

        A 429 raised in the block pauses the channel, or everything.

        Raises:
            DeliveryDeferredError: the channel is paused or busy, and nothing was sent.
        """
        key = (channel_id, urgent)
        self._raise_if_blocked(key)
        in_flight = self._get_in_flight(key)
        await _acquire_within_timeout(in_flight)
        try:
            if not urgent:
                with _EDIT_WAIT.time():
                    await self._edits.acquire()
            if reserved is not None:
                reserved.release()
            await self.acquire_request()
            self._raise_if_blocked(key)
            with self._count_unanswered(key):
                yield
        except RateLimitedError as error:
            self.block(GLOBAL if error.is_global else key, error.retry_after)
            raise
        finally:
            in_flight.release()

    def learn(self, call: str, channel_id: int, limit: ChannelLimit) -> None:
        """Heed what an answer says about a channel's limit."""
        key = (channel_id, call == "create_message")
        now = asyncio.get_running_loop().time()
        self._windows = {known: window for known, window in self._windows.items() if window.ends > now}
        before = self._windows.get(key)
        # Answers may overtake each other, and within a window their number only falls.
        remaining = limit.remaining if before is None else min(before.remaining, limit.remaining)
        self._windows[key] = _Window(remaining, now + limit.reset_after)

    async def acquire_request(self, amount: float = 1.0) -> None:
        """Wait for the right to make one request. A smaller `amount` goes first.

        Raises:
            DeliveryDeferredError: this process has no share of the limit.
        """
        self._waiting += 1
        try:
            with _REQUEST_WAIT.time():
                await self._requests.acquire(amount)
        finally:
            self._waiting -= 1
        if not self._has_share():
            raise DeliveryDeferredError("this process has no share of Discord's limit", retry_after=NEXT_TRY)

    async def pace(self) -> None:
        """Wait for the moment to send a request that has been admitted.

        Raises:
            DeliveryDeferredError: many others go before it, this process has no share of the limit, or Discord accepts
                nothing for now.
        """
        try:
            with _SEND_WAIT.time():
                async with asyncio.timeout(PACE_TIMEOUT):
                    await self._sends.acquire()
        except TimeoutError:
            raise DeliveryDeferredError("many requests wait to be sent", retry_after=NEXT_TRY) from None
        self._raise_if_blocked(GLOBAL)

    async def pace_first(self) -> None:
        """Wait for the moment to send a request that is no delivery. It goes before all that wait."""
        while True:
            await self._requests.acquire(_AHEAD)
            await self._sends.acquire(_AHEAD)
            seconds = self._get_remaining_block(GLOBAL)
            if seconds <= 0:
                return
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def acquire_dm_open(self, *, urgent: bool) -> AsyncIterator[None]:
        """Take the right to open a DM, which is a request too. A temporary rejection pauses opening.

        Raises:
            DeliveryDeferredError: many DMs were just opened, an urgent one comes first, or opening is paused. Nothing
                was sent.
        """
        self._raise_if_blocked(DM_OPENS)
        now = asyncio.get_running_loop().time()
        if not urgent and (wait := self._urgent_opens_until - now) > 0:
            raise DeliveryDeferredError("direct messages of reminders are opened first", retry_after=wait)
        limit = self._dm_opens_limit if urgent else self._dm_opens_limit - self._dm_opens_reserved
        if len(self._dm_opens) >= limit and (wait := self._dm_opens[-limit] + DM_OPENS_WINDOW - now) > 0:
            if urgent:
                self._urgent_opens_until = now + wait + _DEFERRED_RETURN
            raise DeliveryDeferredError("many direct messages were just opened", retry_after=wait)
        self._dm_opens.append(now)
        await self.acquire_request(_AHEAD)  # its lease already runs
        try:
            yield
        except ConnectFailedError:
            raise  # that says nothing about the limit
        except TemporarilyUnavailableError as error:
            self.block(DM_OPENS, error.retry_after or DM_OPEN_PAUSE)
            raise

    def block(self, key: RateLimitKey, seconds: float | None) -> None:
        """Block a key, or everything, for `seconds`. This never shortens a pause."""
        now = asyncio.get_running_loop().time()
        self._blocked_until = {known: until for known, until in self._blocked_until.items() if until > now}
        self._blocked_until[key] = max(self._blocked_until.get(key, now), now + (seconds or 0.0))

    def unreserve(self) -> None:
        """Release a reserved request."""
        self._reserved -= 1

    def _has_share(self) -> bool:
        return self.share > 0 and asyncio.get_running_loop().time() < self._share_ends

    @contextmanager
    def _count_unanswered(self, key: RateLimitKey) -> Iterator[None]:
        self._unanswered[key] += 1
        try:
            yield
        finally:
            self._unanswered[key] -= 1
            if not self._unanswered[key]:
                del self._unanswered[key]

    def _get_in_flight(self, key: RateLimitKey) -> asyncio.Semaphore:
        return self._in_flight.setdefault(key, asyncio.Semaphore(IN_FLIGHT_PER_CHANNEL))

    def _list_busy_channels(self) -> frozenset[int]:
        full = [key for key, in_flight in self._in_flight.items() if in_flight.locked()]
        blocked = [key for key in (*self._blocked_until, *self._windows) if self._get_remaining_block(key) > 0]
        return frozenset(channel_id for channel_id, urgent in (*full, *blocked) if urgent)

    def _raise_if_blocked(self, key: RateLimitKey) -> None:
        seconds = self._get_remaining_block(key)
        if seconds > 0:
            raise DeliveryDeferredError("Discord accepts no more for now", retry_after=seconds)

    def _get_remaining_block(self, key: RateLimitKey) -> float:
        now = asyncio.get_running_loop().time()
        until = max(self._blocked_until.get(key, 0.0), self._blocked_until.get(GLOBAL, 0.0))
        window = self._windows.get(key)
        if window is not None and window.remaining <= self._unanswered[key]:
            until = max(until, window.ends)
        if not self._has_share():
            until = max(until, now + NEXT_TRY)
        return until - now


class _AdjustableLimiter(AsyncLimiter):
    """A limiter whose limits can change while others wait for it."""

    def adjust(self, max_rate: float, per_second: float) -> None:
        """Set the burst and the steady rate."""
        self._leak()
        self.max_rate, self.time_period = max_rate, max_rate / per_second
        self._rate_per_sec = per_second
        self._wake_next()


@dataclass(frozen=True)
class _Window:
    """How many requests Discord still accepts until the event loop's clock is at `ends`."""

    remaining: int
    ends: float


class ReservedRequest:
    """The right to one request at once, unless its channel is busy. It saves a single reminder one transaction."""

    def __init__(self, limiter: RateLimiter, busy_channels: frozenset[int]) -> None:
        self.busy_channels = busy_channels
        self._limiter: RateLimiter | None = limiter

    def release(self) -> None:
        """Release the reservation, at most once."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter.unreserve()


async def _acquire_within_timeout(in_flight: asyncio.Semaphore) -> None:
    if not in_flight.locked():
        await in_flight.acquire()  # does not wait, so it needs no time-out
        _CHANNEL_WAIT.observe(0.0)
        return
    try:
        with _CHANNEL_WAIT.time():
            async with asyncio.timeout(CHANNEL_WAIT_TIMEOUT):
                await in_flight.acquire()
    except TimeoutError:
        raise DeliveryDeferredError("the channel is busy", retry_after=2 * CHANNEL_WAIT_TIMEOUT) from None
