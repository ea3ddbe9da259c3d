"""A short failure is tried again while the person still watches "thinking…".

Everything asked for here is repeatable: a game is created once for each interaction, joining twice is joining, and
an answer is edited into place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.schedule.retry import Backoff, retry

TRIES = 3
_BACKOFF = Backoff(first=0.25, longest=1.0)

T = TypeVar("T")


async def persistently(work: Callable[[], Awaitable[T]]) -> T:
    """Do a repeatable thing, and again after a moment while it fails with `TransientError`, which the last try
    raises."""
    return await retry(work, backoff=_BACKOFF, attempts=TRIES)
