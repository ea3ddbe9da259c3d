"""A clock that a test sets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Clock:
    """The time of the event loop."""

    now: float = 1_000.0
