"""Keeps the loop of one custom resource running, whatever becomes of it.

A loop that dies is started again with growing delays, and its resource says so meanwhile. It counts as recovered when
it has run for as long as was waited before it: a loop that dies at once again does not flap between ready and not.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from controllers.loops.base import Loop, LoopStatus, wait_or_event
from controllers.resources.models import Resource
from shared import logs, metrics
from shared.errors import QuestbellError, reraise_cancellation
from shared.schedule.retry import Backoff

AnyLoop = Loop[Any]
LoopFactory = Callable[[Resource], AnyLoop]
"""Makes the loop that a resource asks for. It may raise as the loop itself may."""


class LoopRunner:
    """The loop of one resource, and what is known of both."""

    def __init__(self, resource: Resource, make_loop: LoopFactory, *, backoff: Backoff) -> None:
        self.resource = resource
        self._make_loop = make_loop
        self._backoff = backoff
        self._loop: AnyLoop | None = None
        self._failure: LoopStatus | None = None
        self._healthy_after = math.inf
        self._spec_changed = asyncio.Event()
        self._log = logs.get(
            component="supervisor", kind=resource.kind.name, namespace=resource.namespace, name=resource.name
        )

    def observe(self, resource: Resource) -> None:
        """Take in what the cluster says of the resource now; what is older than what is known is ignored."""
        if resource.version <= self.resource.version:
            return
        known = self.resource
        if resource.spec is None:
            resource = replace(resource, spec=known.spec, generation=known.generation)
        self.resource = resource
        if resource.spec != known.spec:
            self._apply(resource)

    @property
    def is_in_backoff(self) -> bool:
        """Whether the loop died and has not recovered yet."""
        return self._failure is not None and asyncio.get_running_loop().time() < self._healthy_after

    def status(self) -> LoopStatus:
        """Say how the loop does, or what keeps it from running."""
        if self._failure is not None and self.is_in_backoff:
            return self._failure
        if self._loop is None:
            return LoopStatus(ready=False, reason="Starting", message="The loop is being started")
        return self._loop.status()

    async def stats(self) -> Mapping[str, object]:
        """Return the loop's figures, none while there is no loop.

        Raises:
            TransientError: they cannot be had now.
        """
        return {} if self._loop is None else await self._loop.stats()

    async def run(self) -> None:
        """Keep the loop running until cancelled."""
        clock, failures = asyncio.get_running_loop().time, 0
        delay = 0.0
        while True:
            began = clock()
            self._healthy_after = began + delay
            problem = await self._run_loop()
            reraise_cancellation()
            failures = 1 if clock() - began > self._backoff.longest else failures + 1
            delay = self._backoff.delay(failures)
            self._fail(problem, delay)
            await self._pause(delay)

    async def _run_loop(self) -> str:
        """Run the loop and return what ended it."""
        self._spec_changed.clear()
        try:
            self._loop = self._make_loop(self.resource)
            self._log.info("Loop started", action="loop_started", uid=self.resource.uid)
            await self._loop.run()
        except asyncio.CancelledError:
            self._log.info("Loop stopped", action="loop_stopped", uid=self.resource.uid)
            raise
        except QuestbellError as error:
            self._log.warning("Loop failed", action="loop_failed", error=str(error))
            return str(error)
        except Exception as error:  # reason: whatever a loop dies of, the others live and it is started again
            self._log.exception("Loop died", action="loop_died")
            return f"an unexpected {type(error).__name__}, see the log of the controllers"
        self._log.warning("Loop ended by itself", action="loop_ended")
        return "it ended by itself"

    def _fail(self, problem: str, delay: float) -> None:
        metrics.LOOP_FAILURES.labels(self.resource.kind.name).inc()
        said = f"The loop failed: {problem}. It is started again in {math.ceil(delay)} s"
        self._failure = LoopStatus(ready=False, reason="LoopFailed", message=said, degraded=said)
        self._healthy_after = math.inf
        self._loop = None

    async def _pause(self, seconds: float) -> None:
        """Wait; a new spec ends the wait, for it may be the cure."""
        await wait_or_event(self._spec_changed, timeout=seconds)

    def _apply(self, resource: Resource) -> None:
        self._log.info("Spec changed", action="spec_changed", generation=resource.generation)
        self._spec_changed.set()
        if self._loop is not None:
            self._loop.apply(resource.spec)
