"""The skeleton of both loops: iterate, wait, and retry after failures.

Two gauges distinguish a loop that waits from one that hangs: its last progress, and how long it may wait now.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from controllers.resources.models import Spec
from shared import logs, metrics
from shared.errors import TransientError, reraise_cancellation
from shared.schedule.retry import Backoff

T = TypeVar("T")
SpecT = TypeVar("SpecT", bound=Spec)
NewSpec = TypeVar("NewSpec", bound=Spec, contravariant=True)


@dataclass(frozen=True)
class LoopStatus:
    """`reason` is CamelCase, and `message` is for people."""

    ready: bool
    reason: str
    message: str
    last_dispatch: datetime | None = None
    degraded: str | None = None
    """A problem that needs attention although the loop works."""


@dataclass(frozen=True)
class Pause:
    """A new spec or an event in `until` ends it early."""

    seconds: float
    until: tuple[asyncio.Event, ...] = ()


class Loop(Protocol[NewSpec]):
    """The work of one custom resource."""

    async def run(self) -> None:
        """Work until cancelled, then finish what is in flight. After an exception the loop restarts."""

    def apply(self, spec: NewSpec) -> None:
        """Use a new spec without a restart. With `suspend`, only finish what is in flight."""

    def status(self) -> LoopStatus:
        """Return the current status."""

    async def stats(self) -> dict[str, object]:
        """Return the status counts. Their cost must not grow with the rows.

        Raises:
            TransientError: they cannot be read now.
        """


class PollingLoop(ABC, Generic[SpecT]):
    """Iterates with pauses, but not while its spec is suspended."""

    ready: ClassVar[LoopStatus]
    """The status while iterations succeed."""
    suspended: ClassVar[LoopStatus]

    def __init__(self, spec: SpecT, *, name: str, backoff: Backoff, log: logs.Logger) -> None:
        """`name` identifies the loop in metrics. `backoff` applies after failed iterations."""
        self.spec = spec
        self._name = name
        self._backoff = backoff
        self._log = log
        self._spec_changed = asyncio.Event()
        self._failures = 0
        self._last_error: str | None = "The first iteration has not ended yet"
        self._degraded: str | None = None
        self._last_dispatch: datetime | None = None

    @property
    @abstractmethod
    def interval(self) -> float:
        """Return the longest wait in seconds."""

    @abstractmethod
    async def stats(self) -> dict[str, object]:
        """See `Loop.stats`."""

    @abstractmethod
    async def _iterate(self) -> Pause:
        """Do one iteration.

        Raises:
            TransientError: the iteration is repeated after the backoff.
        """

    def apply(self, spec: SpecT) -> None:
        """Use a new spec immediately."""
        self.spec = spec
        self._spec_changed.set()

    def status(self) -> LoopStatus:
        """Return the current status."""
        if self.spec.suspend:
            status = self.suspended
        elif self._last_error is not None:
            status = LoopStatus(False, "Waiting" if self._failures else "Starting", self._last_error)
        else:
            status = self.ready
        return replace(status, last_dispatch=self._last_dispatch, degraded=self._degraded)

    async def run(self) -> None:
        """Iterate until cancelled."""
        self._record_progress(wait=0.0)
        try:
            while True:
                self._spec_changed.clear()
                if self.spec.suspend:
                    pause = Pause(self.interval)
                    self._record_progress(wait=pause.seconds)
                else:
                    pause = await self._try_to_iterate()
                reraise_cancellation()
                await wait_for_any(self._spec_changed, *pause.until, timeout=pause.seconds)
        finally:
            metrics.LOOP_LAST_ITERATION.remove(self._name)
            metrics.LOOP_WAIT.remove(self._name)

    async def _try_to_iterate(self) -> Pause:
        try:
            pause = await self._iterate()
        except TransientError as error:
            self._failures += 1
            self._last_error = str(error)
            self._log.warning("Waiting", action="loop_waiting", error=str(error))
            return Pause(self._backoff.delay(self._failures))
        self._failures, self._last_error = 0, None
        self._record_progress(wait=pause.seconds)
        return pause

    def _record_progress(self, *, wait: float | None = None) -> None:
        """Export the progress, and how long the loop may wait."""
        metrics.LOOP_LAST_ITERATION.labels(self._name).set_to_current_time()
        if wait is not None:
            metrics.LOOP_WAIT.labels(self._name).set(wait)


def format_capped(count: int, *, cap: int = 10_000) -> str:
    """Format a count that was limited to `cap` + 1."""
    return str(count) if count <= cap else f"{cap}+"


async def wait_for_any(*events: asyncio.Event, timeout: float) -> None:
    """Wait until an event is set, at most `timeout` seconds."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def finish_uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` even if cancelled, because its messages are in flight."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})  # bounded, because every network wait within it has its own time-out
        if not task.cancelled() and (error := task.exception()) is not None:
            logs.get().warning("The last iteration failed", action="loop_ended", error=str(error))
        raise
