"""Runs one loop for each custom resource, and restarts loops that die.

The watch can miss deletions, and the periodic list is slow, so both report here. Kopf's daemons were rejected: they
need a finalizer, which two replicas would fight over, and they end with Kopf.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from controllers.loops.base import Loop, LoopStatus, wait_for_any
from controllers.resources.models import Resource
from shared import logs, metrics
from shared.errors import QuestbellError, reraise_cancellation
from shared.schedule.retry import Backoff

DELETED_MEMORY = 256
"""Deleted resources to remember, because a late list must not restart their loops."""
_CANCEL_TIMEOUT = 1.0

AnyLoop = Loop[Any]
LoopFactory = Callable[[Resource], AnyLoop]
"""Returns a resource's loop, or raises the loop's errors."""


class LoopRunner:
    """Restarts the loop of one resource with growing delays.

    A loop has recovered once it has run for its last delay, so that it does not flap between ready and not ready.
    """

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
        """Use a newer version, and ignore an older one."""
        if resource.version <= self.resource.version:
            return
        known = self.resource
        if resource.spec is None:
            resource = replace(resource, spec=known.spec, generation=known.generation)
        self.resource = resource
        if resource.spec != known.spec:
            self._log.info("Spec changed", action="spec_changed", generation=resource.generation)
            self._spec_changed.set()
            if self._loop is not None:
                self._loop.apply(resource.spec)

    @property
    def is_in_backoff(self) -> bool:
        """Whether the loop died and has not recovered."""
        return self._failure is not None and asyncio.get_running_loop().time() < self._healthy_after

    def status(self) -> LoopStatus:
        """Return the loop's status, or why it does not run."""
        if self._failure is not None and self.is_in_backoff:
            return self._failure
        if self._loop is None:
            return LoopStatus(ready=False, reason="Starting", message="The loop is starting")
        return self._loop.status()

    async def stats(self) -> Mapping[str, object]:
        """Return the loop's counts, or none without a loop.

        Raises:
            TransientError: they cannot be read now.
        """
        return {} if self._loop is None else await self._loop.stats()

    async def run(self) -> None:
        """Run and restart the loop until cancelled."""
        clock, failures, delay = asyncio.get_running_loop().time, 0, 0.0
        while True:
            started_at = clock()
            self._healthy_after = started_at + delay
            problem = await self._run_loop()
            reraise_cancellation()
            failures = 1 if clock() - started_at > self._backoff.longest else failures + 1
            delay = self._backoff.delay(failures)
            self._record_failure(problem, delay)
            await wait_for_any(self._spec_changed, timeout=delay)  # a new spec may be the fix

    async def _run_loop(self) -> str:
        """Run the loop and return why it ended."""
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
        # reason: a bug in one loop must not end the others
        except Exception as error:
            self._log.exception("Loop died", action="loop_died")
            return f"an unexpected {type(error).__name__}, see the log of the controllers"
        self._log.warning("Loop ended by itself", action="loop_ended")
        return "it ended by itself"

    def _record_failure(self, problem: str, delay: float) -> None:
        metrics.LOOP_FAILURES.labels(self.resource.kind.name).inc()
        message = f"The loop failed: {problem}. It restarts in {math.ceil(delay)} s"
        self._failure = LoopStatus(ready=False, reason="LoopFailed", message=message, degraded=message)
        self._healthy_after = math.inf
        self._loop = None


class Supervisor:
    """One loop for each known resource. Other threads use `call_soon_threadsafe`."""

    def __init__(self, make_loop: LoopFactory, *, backoff: Backoff, shutdown_timeout: float) -> None:
        """When the block ends, the loops have `shutdown_timeout` seconds."""
        self._make_loop = make_loop
        self._backoff = backoff
        self._shutdown_timeout = shutdown_timeout
        self._runners: dict[str, LoopRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._deleted: deque[str] = deque(maxlen=DELETED_MEMORY)
        self._closed = False
        self._log = logs.get(component="supervisor")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc_info: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._closed = True
        for uid in list(self._runners):
            self._stop(uid)
        await self._wait_until_ended()

    def observe(self, resource: Resource) -> None:
        """Start a new resource's loop, or pass it a new version."""
        if resource.deleting:
            self.forget(resource.uid)
        elif (runner := self._runners.get(resource.uid)) is not None:
            runner.observe(resource)
        elif resource.spec is not None and resource.uid not in self._deleted and not self._closed:
            self._start(resource)

    def forget(self, uid: str) -> None:
        """Stop a deleted resource's loop."""
        if uid not in self._deleted:
            self._deleted.append(uid)
        if uid in self._runners:
            self._stop(uid)

    def reconcile(self, listed: Iterable[Resource], *, known: Collection[str]) -> None:
        """Correct what the watch missed, using a complete list.

        `known` are the uids whose loops ran when the list was requested. Newer ones are not in it.
        """
        resources = {resource.uid: resource for resource in listed}
        for uid in set(known) & self._runners.keys() - resources.keys():
            self._log.warning("A deletion was missed", action="deletion_missed", uid=uid)
            self.forget(uid)
        for resource in resources.values():
            self.observe(resource)

    def known(self) -> frozenset[str]:
        """Return the uids that have a loop."""
        return frozenset(self._runners)

    def runners(self) -> Collection[LoopRunner]:
        """Return the current runners."""
        return tuple(self._runners.values())

    def problem(self) -> str | None:
        """Return which loops have not recovered yet, or None."""
        return _list_resources("not running", [runner for runner in self.runners() if runner.is_in_backoff])

    def lost(self) -> str | None:
        """Return which loops are no longer restarted, or None."""
        lost = [runner for uid, runner in self._runners.items() if self._tasks[uid].done()]
        return _list_resources("not restarted any more", lost)

    def _start(self, resource: Resource) -> None:
        for runner in self.runners():
            if runner.resource.is_namesake(resource):
                if runner.resource.version > resource.version:
                    return
                self.forget(runner.resource.uid)
        runner = LoopRunner(resource, self._make_loop, backoff=self._backoff)
        self._runners[resource.uid] = runner
        task = asyncio.create_task(runner.run(), name=f"loop of {resource}")
        task.add_done_callback(self._log_lost)
        self._tasks[resource.uid] = task

    def _stop(self, uid: str) -> None:
        del self._runners[uid]
        task = self._tasks.pop(uid)
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _log_lost(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.critical("A loop is lost", action="loop_lost", task=task.get_name(), exc_info=error)

    async def _wait_until_ended(self) -> None:
        for timeout in (self._shutdown_timeout, _CANCEL_TIMEOUT):
            if not self._ending:
                return
            _, late = await asyncio.wait(self._ending, timeout=timeout)
            for task in late:
                self._log.error("A loop did not end in time", action="loop_late", task=task.get_name())
                task.cancel()


def _list_resources(state: str, runners: Collection[LoopRunner]) -> str | None:
    return f"{state}: {', '.join(sorted(str(runner.resource) for runner in runners))}" if runners else None
