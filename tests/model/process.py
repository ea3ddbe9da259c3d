"""A process of Questbell inside the run: its connections, its tasks, and the statement at which it dies.

A process that dies says nothing more: every statement, commit and request of its tasks is refused from then on, open
transactions roll back, and what it remembered is gone. Killing real processes was rejected here, `make chaos` does
that: this way one can die at each statement, hundreds of times in a minute, and always at the same one again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from shared import database
from tests.model.discord import RUN
from tests.model.run import Run

_STILL = 10
"""Turns of the loop without a statement, after which nothing moves any more."""
_OWNER: ContextVar[Process | None] = ContextVar("process", default=None)


class Killed(BaseException):
    """The process is dead. No code of ours may catch it."""


class Process:
    """One place where a process runs, and is started anew after its death. Its connections are used again."""

    def __init__(self, name: str, engine: AsyncEngine) -> None:
        self.name = name
        self._pool = cast(QueuePool, engine.sync_engine.pool)
        self.sessions = database.sessions(engine)
        self.is_dead = False
        self.tasks: set[asyncio.Task[Any]] = set()
        self.runs: list[Run] = []
        self._fuse: int | None = None
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: self._step())
        event.listen(engine.sync_engine, "commit", lambda *_: self._step())

    def dies_after(self, steps: int | None) -> None:
        """Let it die instead of its so-manieth statement or commit from now, or not at all."""
        self._fuse = steps

    def die(self) -> None:
        """Die now."""
        self.is_dead = True

    def _step(self) -> None:
        if self._fuse is not None:
            self._fuse -= 1
            if self._fuse <= 0:
                self.die()
        if self.is_dead:
            raise Killed

    def start(self, run: Run, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task of this process, for a run."""
        owner, told = _OWNER.set(self), RUN.set(run)
        try:
            return asyncio.get_running_loop().create_task(work)
        finally:
            _OWNER.reset(owner)
            RUN.reset(told)

    def end(self, run: Run) -> None:
        """Forget a run that has come to its end."""
        self.runs.remove(run)
        self.tasks = {task for task in self.tasks if not task.done()}
        self._fuse = None

    async def comes_to_rest(self) -> None:
        """Return when nothing of it is at work any more: all that is left waits for an answer, or for what does."""
        still = 0
        while still < _STILL:
            await asyncio.sleep(0)
            still = 0 if self._pool.checkedout() else still + 1

    async def bury(self) -> None:
        """End what is left of the process, and start another in its place.

        A statement that is under way is let finish: whether it took effect must be known.
        """
        self.is_dead = True
        await self.comes_to_rest()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        self.runs.clear()
        self.is_dead, self._fuse = False, None


def owned(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
    """Make a task, as a loop's task factory: the process that it belongs to can end it."""
    task = asyncio.Task(work, loop=loop, **options)
    if (process := _OWNER.get()) is not None:
        process.tasks.add(task)
    return task
