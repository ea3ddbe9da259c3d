"""Runs one loop for each custom resource: what the cluster wants and what this process does are brought together here.

Two voices say what the cluster wants. The watch is quick and can miss things (after a re-list it never tells of what
was deleted meanwhile); the list is complete and comes once a minute. Both end here, and neither knows the other.
Kopf's own daemons were rejected: they need a finalizer, which two replicas fight over, and they end with Kopf.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable
from types import TracebackType
from typing import Self

from controllers.loop_runner import LoopFactory, LoopRunner
from controllers.resources.models import Resource
from shared import logs
from shared.schedule.retry import Backoff

REMEMBERED = 256
"""How many deleted resources are remembered. A list that was asked for before a deletion and answered after it must
not start the loop again; that is a matter of seconds."""
_LAST_PATIENCE = 1.0


class Supervisor:
    """One loop for each resource that it was told of, until the end of a block.

    Belongs to one event loop: other threads go through `call_soon_threadsafe`.
    """

    def __init__(self, make_loop: LoopFactory, *, backoff: Backoff, patience: float) -> None:
        """`patience` is how many seconds the loops have to finish what is in flight when the block ends."""
        self._make_loop = make_loop
        self._backoff = backoff
        self._patience = patience
        self._runners: dict[str, LoopRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._gone: deque[str] = deque(maxlen=REMEMBERED)
        self._closed = False
        self._log = logs.get(component="supervisor")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_of: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._closed = True
        for uid in list(self._runners):
            self._stop(uid)
        await self._until_ended()

    def observe(self, resource: Resource) -> None:
        """Take in that a resource is there, in this version."""
        if resource.deleting:
            self.forget(resource.uid)
        elif (runner := self._runners.get(resource.uid)) is not None:
            runner.observe(resource)
        elif resource.spec is not None and resource.uid not in self._gone and not self._closed:
            self._start(resource)

    def forget(self, uid: str) -> None:
        """Take in that a resource is gone: its loop finishes what is in flight and ends."""
        if uid not in self._gone:
            self._gone.append(uid)
        if uid in self._runners:
            self._stop(uid)

    def reconcile(self, listed: Iterable[Resource], *, known: Collection[str]) -> None:
        """Correct what the watch missed, by a complete list.

        `known` are the uids that were running when the list was asked for: what came later cannot be in it.
        """
        resources = {resource.uid: resource for resource in listed}
        for uid in set(known) & self._runners.keys() - resources.keys():
            self._log.warning("A deletion was missed", action="deletion_missed", uid=uid)
            self.forget(uid)
        for resource in resources.values():
            self.observe(resource)

    def known(self) -> frozenset[str]:
        """Return the uids whose loops run."""
        return frozenset(self._runners)

    def runners(self) -> Collection[LoopRunner]:
        """Return what runs now."""
        return tuple(self._runners.values())

    def problem(self) -> str | None:
        """Return which loops died and have not recovered yet, None when all run."""
        return _named("not running", [runner for runner in self.runners() if runner.is_in_backoff])

    def lost(self) -> str | None:
        """Return which loops nobody keeps running any more, None when all are kept: only a restart would help."""
        lost = [runner for uid, runner in self._runners.items() if self._tasks[uid].done()]
        return _named("not kept running", lost)

    def _start(self, resource: Resource) -> None:
        for runner in self.runners():
            if runner.resource.is_namesake(resource):
                if runner.resource.version > resource.version:
                    return
                self.forget(runner.resource.uid)
        runner = LoopRunner(resource, self._make_loop, backoff=self._backoff)
        self._runners[resource.uid] = runner
        task = asyncio.create_task(runner.run(), name=f"loop of {resource}")
        task.add_done_callback(self._note_end)
        self._tasks[resource.uid] = task

    def _stop(self, uid: str) -> None:
        del self._runners[uid]
        task = self._tasks.pop(uid)
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.critical("A loop is lost", action="loop_lost", task=task.get_name(), exc_info=error)

    async def _until_ended(self) -> None:
        for patience in (self._patience, _LAST_PATIENCE):
            if not self._ending:
                return
            _, late = await asyncio.wait(self._ending, timeout=patience)
            for task in late:
                self._log.error("A loop did not end in time", action="loop_late", task=task.get_name())
                task.cancel()


def _named(what: str, runners: Collection[LoopRunner]) -> str | None:
    return f"{what}: {', '.join(sorted(str(runner.resource) for runner in runners))}" if runners else None
