"""The time by which the sandbox judges.

Discord's rules are made of durations: three seconds to answer, fifteen minutes of a token, one hour until edits become
scarce, minutes of nonce memory. Everything asks one clock, so a test can move it instead of waiting; patching `time`
was rejected because it would also move the bot under test when both live in one process.
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
        """Let `seconds` pass at once."""
        if seconds < 0:
            raise ValueError("time only moves forward")
        self._ahead += seconds


def timestamp(seconds: float) -> str:
    """Wall seconds in the ISO 8601 form of Discord's payloads."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
