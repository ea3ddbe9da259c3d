"""Circuit breaker for Discord as a whole.

While it is open, callers wait and one of them probes. Otherwise an outage would turn every message into a dead letter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from shared import logs, metrics
from shared.discord.errors import (
    ConnectFailedError,
    RateLimitedError,
    RequestRejectedError,
    TemporarilyUnavailableError,
    UncertainResultError,
)
from shared.schedule.retry import Backoff, retry

THRESHOLD = 5
"""Consecutive failures, for any channels, that open the circuit."""
FAILING_FOR = 900.0
"""Seconds for which a channel counts as failing after its last request failed."""


class CircuitBreaker:
    """Counts failures that say nothing about a channel, and blocks callers while Discord does not answer."""

    def __init__(self, probe: Callable[[], Awaitable[None]], *, backoff: Backoff) -> None:
        """`probe` raises a TransientError if Discord does not answer."""
        self._probe = probe
        self._backoff = backoff
        self._failures = 0
        self._failing_since: dict[int, float] = {}
        self._probing = asyncio.Lock()
        self._up = metrics.DEPENDENCY_UP.labels("discord")
        self._up.set(1)

    @property
    def is_open(self) -> bool:
        """Whether Discord seems to be unavailable."""
        return self._failures >= THRESHOLD

    async def wait_until_closed(self) -> None:
        """Wait while Discord seems to be unavailable."""
        if self.is_open:
            async with self._probing:
                await retry(self._close, backoff=self._backoff)

    @contextmanager
    def record(self, channel_id: int | None = None) -> Iterator[None]:
        """Count the result of the request in the block, and of a channel's last one."""
        try:
            yield
        except (ConnectFailedError, UncertainResultError):
            self._failures += 1
            if self._failures == THRESHOLD:
                self._up.set(0)
                logs.get().warning("Discord does not answer, waiting for it", action="discord_unavailable")
            self._record_channel(channel_id, is_failing=True)
            raise
        except (RequestRejectedError, TemporarilyUnavailableError) as error:
            self._failures = 0  # any answer shows that Discord is available
            self._record_channel(channel_id, is_failing=isinstance(error, RequestRejectedError))
            raise
        self._failures = 0
        self._record_channel(channel_id, is_failing=False)

    def _record_channel(self, channel_id: int | None, *, is_failing: bool) -> None:
        """Count failing channels, so that an alert can distinguish one of them from all of Discord."""
        now = asyncio.get_running_loop().time()
        self._failing_since = {
            known: since
            for known, since in self._failing_since.items()
            if known != channel_id and since > now - FAILING_FOR
        }
        if is_failing and channel_id is not None:
            self._failing_since[channel_id] = now
        metrics.DISCORD_FAILING_CHANNELS.set(len(self._failing_since))

    async def _close(self) -> None:
        """Close the circuit if Discord answers. Raises as the probe."""
        if not self.is_open:
            return
        with suppress(RateLimitedError, RequestRejectedError):  # Discord answered
            await self._probe()
        self._failures = 0
        self._up.set(1)
        logs.get().info("Discord answers again", action="discord_available")
