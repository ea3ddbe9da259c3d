"""Micro-batches: what many tasks ask of the database at the same moment is done in one transaction.

One statement for a hundred rows costs little more than for one, and their commit is shared. There is no timer: while
one batch is under way the next one collects, so an idle bot waits for nothing and a busy one gets batches as large as
its load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.database import Sessions
from shared.errors import TransientError

BATCH = 100
"""Items at most; a consumer's prefetch is no larger."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[AsyncSession, Sequence[Item]], Awaitable[Sequence[Result]]]
"""Does many items in a transaction and returns each one's result, in order."""


class Batch(Generic[Item, Result]):
    """Does items in batches, one batch at a time; each caller gets its own item's result."""

    def __init__(self, sessions: Sessions, work: Work[Item, Result]) -> None:
        self._sessions = sessions
        self._work = work
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        """Return the item's result once it is committed.

        Raises:
            TransientError: the batch could not be committed, as `database.transaction`.
            Exception: what the work raised for this item alone.
        """
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return await result

    async def _flush(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)  # whoever was woken together goes together
                taken, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._do(taken)
        finally:
            self._flushing = None
            for _, result in self._waiting:  # none, unless the process is ending
                result.cancel()

    async def _do(self, taken: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._committed([item for item, _ in taken])
        except TransientError as error:
            _fail(taken, error)
        except asyncio.CancelledError:
            for _, result in taken:
                result.cancel()
            raise
        except Exception as error:  # reason: one item's mistake must fail that item alone; it is raised to its caller
            if len(taken) == 1:
                return _fail(taken, error)
            for one in taken:
                await self._do([one])
        else:
            for (_, result), value in zip(taken, results, strict=True):
                if not result.done():
                    result.set_result(value)
        return None

    async def _committed(self, items: Sequence[Item]) -> Sequence[Result]:
        async with database.transaction(self._sessions) as session:
            return await self._work(session, items)


def _fail(taken: Sequence[tuple[Item, asyncio.Future[Result]]], error: Exception) -> None:
    for _, result in taken:
        if not result.done():
            result.set_exception(error)
