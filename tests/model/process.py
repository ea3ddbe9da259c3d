"""A process of Questbell inside the run: its connections, its tasks, and the statement at which it dies.

When a process dies, every further statement, commit and request of its tasks is refused, open transactions roll back,
and its memory is gone. Killing real processes was rejected, because `make chaos` does that: this way a process can die
at each statement, hundreds of times in a minute, and at the same one again.
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

_IDLE_ROUNDS = 10
"""Rounds of the event loop without a statement after which a process waits for an answer."""
_OWNER: ContextVar[Process | None] = ContextVar("process", default=None)


class Killed(BaseException):
    """The process is dead. No code of ours may catch it."""


class Process:
    """A process that can be restarted after its death. Its connections are used again."""

    def __init__(self, name: str, engine: AsyncEngine) -> None:
        self.name = name
        self._pool = cast(QueuePool, engine.sync_engine.pool)
        self.sessions = database.sessions(engine)
        self.is_dead = False
        self.tasks: set[asyncio.Task[Any]] = set()
        self._steps_left: int | None = None
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: self._step())
        event.listen(engine.sync_engine, "commit", lambda *_: self._step())

    def die_after(self, steps: int | None) -> None:
        """Die instead of executing the n-th statement or commit from now; None to disable."""
        self._steps_left = steps

    def die(self) -> None:
        """Die now."""
        self.is_dead = True

    def _step(self) -> None:
        if self._steps_left is not None:
            self._steps_left -= 1
            if self._steps_left <= 0:
                self.die()
        if self.is_dead:
            raise Killed

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task of this process."""
        owner = _OWNER.set(self)
        try:
            return asyncio.get_running_loop().create_task(work)
        finally:
            _OWNER.reset(owner)

    def finish(self) -> None:
        """Forget the tasks that are done."""
        self.tasks = {task for task in self.tasks if not task.done()}
        self._steps_left = None

    async def wait_until_idle(self) -> None:
        """Return when each task waits for an answer from outside, or is done."""
        rounds = 0
        while rounds < _IDLE_ROUNDS:
            await asyncio.sleep(0)
            rounds = 0 if self._pool.checkedout() else rounds + 1

    async def restart(self) -> None:
        """End what is left of the process and start another in its place.

        A statement that is being executed is finished first: whether it took effect must be known.
        """
        self.is_dead = True
        await self.wait_until_idle()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        self.is_dead, self._steps_left = False, None


def create_owned_task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    """Create a task, as a loop's task factory. The process that it belongs to can end it."""
    task = asyncio.Task(work, loop=loop, **options)
    if (process := _OWNER.get()) is not None:
        process.tasks.add(task)
    return task
