"""Waiting in tests: one way to poll a condition, and one time limit for what must happen."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")

WAIT_TIMEOUT = 60.0
"""Seconds. It is long because only a failing test uses it up; a test of speed sets its own limit."""
POLL_INTERVAL = 0.01
"""Seconds between two polls at first. It grows to a hundredth of the time waited, so that long waits cost little."""


async def eventually(
    condition: Callable[[], Awaitable[T] | T],
    *,
    within: float = WAIT_TIMEOUT,
    every: float = POLL_INTERVAL,
    what: str | None = None,
) -> T:
    """Poll a condition, plain or async, until its result is true, and return that result.

    Raises:
        AssertionError: it was not true within `within` seconds; `what` names it in the message.
    """
    began, latest = time.monotonic(), None
    try:
        async with asyncio.timeout(within):
            while True:
                answer = condition()
                latest = cast(T, await answer) if inspect.isawaitable(answer) else answer
                if latest:
                    return latest
                await asyncio.sleep(max(every, (time.monotonic() - began) / 100))
    except TimeoutError:
        name = what or getattr(condition, "__qualname__", str(condition))
        raise AssertionError(f"waited {within:g} s for {name}; the last result was {latest!r}") from None
