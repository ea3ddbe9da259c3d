"""Where a process spends its processor time, and its calls to the database.

The kernel interrupts the process after every few milliseconds of processor time and the stack is noted: some hundred
samples a second of work, at less than a hundredth of its cost. cProfile was rejected: it makes Python functions twice
as slow and C functions no slower, and so says more about itself.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from types import FrameType
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.workers.layers import place

INTERVAL = 0.001
"""Seconds of processor time between two samples; the kernel rounds it up to its tick, 1 to 10 ms."""
SHOWN = 20
"""Listed functions."""
COUNTED = {"statements": "before_cursor_execute", "transactions": "commit", "checkouts": "checkout"}
"""The counted calls to the database. Each checkout of a connection pings it first, and each transaction is a BEGIN and
a COMMIT besides its statements."""


class Profile:
    """One profile at a time."""

    def __init__(self, engine: AsyncEngine | None) -> None:
        self._engine = engine
        self._places: Counter[tuple[str, str]] = Counter()
        self._asked: Counter[str] = Counter()
        self._began = 0.0
        self._counters = [(name, happening, self._counter(name)) for name, happening in COUNTED.items()]

    def start(self) -> None:
        """Start to take samples and to count statements."""
        self._places.clear()
        self._asked.clear()
        for _, happening, counter in self._counters if self._engine else ():
            event.listen(self._target(happening), happening, counter)
        self._began = time.process_time()
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)

    def stop(self) -> dict[str, Any]:
        """Stop, and return the profile."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        spent = time.process_time() - self._began
        for _, happening, counter in self._counters if self._engine else ():
            event.remove(self._target(happening), happening, counter)
        layers, functions = Counter[str](), Counter[str]()
        for (layer, function), count in self._places.items():
            layers[layer] += count
            functions[function] += count
        return {
            "cpu_seconds": spent,
            "samples": self._places.total(),
            "layers": dict(layers.most_common()),
            "functions": dict(functions.most_common(SHOWN)),
            "database": dict(self._asked),
        }

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        if frame is not None:
            self._places[place(frame)] += 1

    def _counter(self, name: str) -> Any:
        def count(*_of: object) -> None:
            self._asked[name] += 1

        return count

    def _target(self, happening: str) -> Any:
        engine: Any = self._engine
        return engine.sync_engine.pool if happening == "checkout" else engine.sync_engine
