"""One rule for all retries."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from shared.errors import TransientError
from shared.settings import Timing

T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """Exponential delays: `first` doubles up to `longest` seconds.

    Jitter shortens them by up to a quarter, so that rows which failed together are not retried together.
    """

    first: float
    longest: float
    rng: random.Random = field(default_factory=random.Random, repr=False, compare=False)

    @classmethod
    def of(cls, timing: Timing) -> Backoff:
        """Return the settings' backoff."""
        return cls(first=timing.backoff_first, longest=timing.backoff_max)

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after this many failed attempts (1 or more)."""
        bound = min(self.longest, self.first * 2.0 ** min(max(attempt, 1) - 1, 30))
        return bound * (1 - 0.25 * self.rng.random())


async def retry(
    work: Callable[[], Awaitable[T]],
    *,
    backoff: Backoff,
    attempts: float = math.inf,
    within: float = math.inf,
    on_failure: Callable[[TransientError], None] = lambda _error: None,
) -> T:
    """Repeat `work` until it succeeds, and return its result.

    Raises:
        TransientError: the last failure, once `attempts` were made or the next one would begin after `within` seconds.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + within
    for attempt in itertools.count(1):
        try:
            return await work()
        except TransientError as error:
            on_failure(error)
            delay = backoff.delay(attempt)
            if attempt >= attempts or clock() + delay > until:
                raise
        await asyncio.sleep(delay)
    raise AssertionError("count() does not end")
