"""The sandbox's clock.

Many of Discord's rules are durations: three seconds to answer, fifteen minutes for a token, minutes of nonce memory.
Everything uses one clock, so that a test can move it instead of waiting. Patching `time` was rejected, because it would
also affect a bot under test in the same process.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The machine's own time."""

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds on a scale that never steps back; comparable with `time.monotonic()` of other processes."""
        return time.monotonic()


class ManualClock(Clock):
    """The machine's time plus an offset that a test moves forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def wall(self) -> float:
        """Seconds since the Unix epoch, as moved."""
        return super().wall() + self._ahead

    def monotonic(self) -> float:
        """Monotonic seconds, as moved."""
        return super().monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`."""
        if seconds < 0:
            raise ValueError("time only moves forward")
        self._ahead += seconds


def timestamp(seconds: float) -> str:
    """Wall seconds in the ISO 8601 form of Discord's payloads."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
