"""From the beginning of the first of many things to the end of the last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Times `count` things that overlap, by the clock and by this process's processor time.

    Getting ready for the first is not counted.
    """

    def __init__(self, count: int) -> None:
        self._left = count
        self._began: tuple[float, float] | None = None
        self._done = asyncio.Event()
        self._ended = (0.0, 0.0)

    @contextmanager
    def lap(self) -> Iterator[None]:
        """Time one of them; one that fails does not count as done."""
        if self._began is None:
            self._began = _clocks()
        yield
        self._left -= 1
        if self._left == 0:
            self._ended = _clocks()
            self._done.set()

    async def read(self) -> dict[str, float]:
        """Wait for the end of the last; return `seconds` and `cpu_seconds`."""
        await self._done.wait()
        began = self._began or self._ended
        return {"seconds": self._ended[0] - began[0], "cpu_seconds": self._ended[1] - began[1]}


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
