"""Notices that Discord as a whole is away, and has everybody wait for it instead of failing one by one.

Without it an outage would fail every message in turn and leave a dead copy of each. With it, each consumer holds at
most its prefetch, and the rest stays where it is. Who waits does the probing: there is no task that could die.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from shared import logs, metrics
from shared.discord.errors import (
    ConnectFailedError,
    RateLimitedError,
    RequestRejectedError,
    TemporarilyUnavailableError,
    UncertainResultError,
)
from shared.errors import TransientError
from shared.schedule.retry import Backoff

THRESHOLD = 5
"""Failures in a row, of whatever channels, that ask for a probe."""


class Breaker:
    """Counts failures that say nothing about a channel, and lets nobody on while Discord does not answer."""

    def __init__(self, probe: Callable[[], Awaitable[None]], *, backoff: Backoff) -> None:
        """`probe` returns when Discord answers and raises a TransientError when it does not."""
        self._probe = probe
        self._backoff = backoff
        self._failures = 0
        self._probing = asyncio.Lock()
        self._up = metrics.DEPENDENCY_UP.labels("discord")
        self._up.set(1)

    @property
    def is_open(self) -> bool:
        """Whether Discord seems to be away."""
        return self._failures >= THRESHOLD

    async def closed(self) -> None:
        """Return when Discord is not known to be away."""
        if not self.is_open:
            return
        async with self._probing:
            for attempt in itertools.count(1):
                if not self.is_open or await self._answers():
                    return
                await asyncio.sleep(self._backoff.delay(attempt))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count how a request in the block went."""
        try:
            yield
        except (ConnectFailedError, UncertainResultError):
            self._failures += 1
            if self._failures == THRESHOLD:
                self._up.set(0)
                logs.get().warning("Discord does not answer, waiting for it", action="discord_away")
            raise
        except (RequestRejectedError, TemporarilyUnavailableError):
            self._failures = 0  # whatever it said, it answered
            raise
        self._failures = 0

    async def _answers(self) -> bool:
        try:
            await self._probe()
        except RateLimitedError:
            pass  # that is an answer
        except TransientError:
            return False
        self._failures = 0
        self._up.set(1)
        logs.get().info("Discord answers again", action="discord_back")
        return True
