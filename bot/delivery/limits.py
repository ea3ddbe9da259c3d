"""How fast the bot may talk: just under Discord's limit of all bots, and little at a time for any one channel.

A place that said "too fast", or whose answers take long, is given up at once by whoever comes next: their rows are
tried when it is ready again, and nobody else waits behind them. What reminds people goes before what refreshes posts,
which passes a narrower gate of its own first, and opening direct messages has a lane that is slower still.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from weakref import WeakValueDictionary

from aiolimiter import AsyncLimiter

from bot.delivery.errors import DeliveryDeferredError
from shared import metrics
from shared.discord.errors import ConnectFailedError, RateLimitedError, TemporarilyUnavailableError

REQUESTS_PER_SECOND = 48
"""Discord allows a bot 50 (https://docs.discord.com/developers/topics/rate-limits#global-rate-limit); two are left
to the gateway's side."""
BURST = 4
"""Requests that may go at once after a pause. They count against the second that they begin: a bucket as large as the
limit would let twice as many pass in it."""
REFRESHES_SHARE = 0.5
"""How much of them refreshing posts may take."""
DMS_OPENED_PER_SECOND = 0.5
"""Opening conversations "too quickly" gets a bot limited or blocked, by a number that Discord does not publish
(https://docs.discord.com/developers/resources/user#create-dm); one with each user is enough for ever."""
IN_FLIGHT_PER_CHANNEL = 2
"""Requests of one channel that may wait for Discord at the same time."""
PATIENCE = 0.5
"""Seconds that are waited for a channel; then its rows come back later, and their places are free for others."""


DM_LANE_PAUSE = 30.0
"""Seconds for which no conversation is opened after Discord said that it was too fast, unless it says how long."""

Place = tuple[int, bool]
"""A channel or user, and whether it is for what is urgent."""
EVERYWHERE: Place = (0, True)
DM_LANE: Place = (-1, True)


class Limits:
    """The limits of one bot token in this process."""

    def __init__(self, requests_per_second: float = REQUESTS_PER_SECOND, *, burst: float = BURST) -> None:
        self._rate = AsyncLimiter(burst, burst / (requests_per_second - burst))
        self._refreshes = AsyncLimiter(requests_per_second * REFRESHES_SHARE, 1.0)
        self._openings = AsyncLimiter(1, 1.0 / DMS_OPENED_PER_SECOND)
        self._in_flight: WeakValueDictionary[Place, asyncio.Semaphore] = WeakValueDictionary()
        self._closed_until: dict[Place, float] = {}
        self._waiting = 0

    @asynccontextmanager
    async def slot(self, channel_id: int, *, urgent: bool = True) -> AsyncIterator[None]:
        """Wait for the right to make one request about a channel (or a user, for direct messages).

        What is not urgent has slots of its own, as Discord limits edits apart from messages. A 429 that leaves the
        block closes the place, or everything, for as long as it says.

        Raises:
            DeliveryDeferredError: the place is closed or busy; nothing was tried.
        """
        place = (channel_id, urgent)
        self._refuse_if_closed(place)
        slots = self._slots(place)
        await _acquire_patiently(slots)
        with Slot(self, place, slots):
            if not urgent:
                with metrics.RATE_LIMIT_WAIT.labels("refreshes").time():
                    await self._refreshes.acquire()
            await self.one_more()
            self._refuse_if_closed(place)
            yield

    async def slot_at_once(self, channel_id: int) -> Slot | None:
        """Return the right to make one request about a channel if there is nothing to wait for, and else None."""
        place = (channel_id, True)
        slots = self._slots(place)
        if self._closed_for(place) > 0 or slots.locked() or self._waiting or not self._rate.has_capacity():
            return None
        await slots.acquire()
        await self._rate.acquire()
        return Slot(self, place, slots)

    async def one_more(self) -> None:
        """Wait for the right to make one more request."""
        self._waiting += 1
        try:
            with metrics.RATE_LIMIT_WAIT.labels("requests").time():
                await self._rate.acquire()
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[None]:
        """Take the lane in which direct messages are opened with people who are new. Nobody waits in it.

        What Discord refuses for now closes it for a while; that there was no answer does not.

        Raises:
            DeliveryDeferredError: it is taken or closed; nothing was tried.
        """
        self._refuse_if_closed(DM_LANE)
        if not self._openings.has_capacity():
            pause = 1 / DMS_OPENED_PER_SECOND
            raise DeliveryDeferredError("direct messages are opened one after the other", retry_after=pause)
        await self._openings.acquire()
        try:
            yield
        except ConnectFailedError:
            raise  # that says nothing about the lane
        except TemporarilyUnavailableError as error:
            self.close(DM_LANE, error.retry_after or DM_LANE_PAUSE)
            raise

    def close(self, place: Place, seconds: float | None) -> None:
        """Let nobody on about a place, or about any, for so long."""
        now = asyncio.get_running_loop().time()
        self._closed_until = {known: until for known, until in self._closed_until.items() if until > now}
        self._closed_until[place] = max(self._closed_until.get(place, now), now + (seconds or 0.0))

    def _slots(self, place: Place) -> asyncio.Semaphore:
        return self._in_flight.setdefault(place, asyncio.Semaphore(IN_FLIGHT_PER_CHANNEL))

    def _refuse_if_closed(self, place: Place) -> None:
        left = self._closed_for(place)
        if left > 0:
            raise DeliveryDeferredError("Discord asked for a pause", retry_after=left)

    def _closed_for(self, place: Place) -> float:
        until = max(self._closed_until.get(place, 0.0), self._closed_until.get(EVERYWHERE, 0.0))
        return until - asyncio.get_running_loop().time()


class Slot:
    """The right to make one request about a place, given back at the end of its block."""

    def __init__(self, limits: Limits, place: Place, slots: asyncio.Semaphore) -> None:
        self._limits = limits
        self._place = place
        self._slots: asyncio.Semaphore | None = slots

    def __enter__(self) -> None:
        """Use it."""

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        """Give it back; what Discord said about pauses holds for those who come next."""
        if isinstance(error, RateLimitedError):
            self._limits.close(EVERYWHERE if error.is_global else self._place, error.retry_after)
        self.give_back()

    def give_back(self) -> None:
        """Give it back, unless that was done."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.release()


class HeadStart:
    """The slot for a telling's first request, taken while its ledger is opened if there is nothing to wait for.

    A lone reminder so takes one transaction less before it is told.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._slot: Slot | None = None
        self._over = False

    async def take(self, channel_id: int) -> bool:
        """Return whether the slot is taken now, or was before."""
        if self._slot is None and not self._over:
            self._slot = await self._limits.slot_at_once(channel_id)
        return self._slot is not None

    def used(self) -> AbstractContextManager[None]:
        """Return the slot that was taken, to be used for a block."""
        return self._slot or nullcontext()

    def end(self) -> None:
        """Give back what was not used; nothing is taken from now on."""
        self._over = True
        if self._slot is not None:
            self._slot.give_back()


async def _acquire_patiently(slots: asyncio.Semaphore) -> None:
    try:
        with metrics.RATE_LIMIT_WAIT.labels("channel").time():
            async with asyncio.timeout(PATIENCE if slots.locked() else None):
                await slots.acquire()
    except TimeoutError:
        raise DeliveryDeferredError("the channel is busy", retry_after=2 * PATIENCE) from None
