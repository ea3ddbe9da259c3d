"""Micro-batches, in which concurrent tasks share one database transaction.

A statement for a hundred rows costs little more than for one. There is no timer. The next batch collects while one is
running, so an idle bot never waits.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.database import Sessions
from shared.errors import TransientError

BATCH_LIMIT = 200
"""At least the consumers' prefetch."""


class GameLock(enum.Enum):
    """The result of an item whose game is locked by another transaction."""

    LOCKED = "locked"


LOCKED = GameLock.LOCKED
Item = TypeVar("Item")
Result = TypeVar("Result")
ItemT = TypeVar("ItemT", contravariant=True)
ResultT = TypeVar("ResultT", covariant=True)


class Work(Protocol[ItemT, ResultT]):
    """Handles items in one transaction."""

    async def __call__(
        self, session: AsyncSession, items: Sequence[ItemT], /, *, wait: bool
    ) -> Sequence[ResultT | GameLock]:
        """Return the results in order, with LOCKED for items of locked games unless `wait`."""


class Batch(Generic[Item, Result]):
    """Runs one batch at a time and gives each caller the result of its item."""

    def __init__(self, sessions: Sessions, work: Work[Item, Result]) -> None:
        self._sessions = sessions
        self._work = work
        self._waiting: list[tuple[Item, asyncio.Future[Result | GameLock]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        """Return the item's committed result. An item whose game is locked is repeated alone.

        Raises:
            TransientError: the batch could not be committed.
            Exception: what the work raised for this item alone.
        """
        future: asyncio.Future[Result | GameLock] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        result = await future
        if isinstance(result, GameLock):
            [result] = await self._commit([item], wait=True)
        if isinstance(result, GameLock):  # its game changed meanwhile
            raise TransientError("the game is locked by another transaction")
        return result

    async def _flush(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)  # tasks that were woken together share a batch
                taken, self._waiting = self._waiting[:BATCH_LIMIT], self._waiting[BATCH_LIMIT:]
                await self._run(taken)
        finally:
            self._flushing = None
            for _, future in self._waiting:  # none, unless the process is ending
                future.cancel()

    async def _run(self, taken: Sequence[tuple[Item, asyncio.Future[Result | GameLock]]]) -> None:
        try:
            results = await self._commit([item for item, _ in taken], wait=False)
        except TransientError as error:
            _fail(taken, error)
        except asyncio.CancelledError:
            for _, future in taken:
                future.cancel()
            raise
        except Exception as error:
            # One item's bug must fail that item alone.
            if len(taken) == 1:
                return _fail(taken, error)
            for item in taken:
                await self._run([item])
        else:
            for (_, future), value in zip(taken, results, strict=True):
                if not future.done():
                    future.set_result(value)
        return None

    async def _commit(self, items: Sequence[Item], *, wait: bool) -> Sequence[Result | GameLock]:
        async with database.transaction(self._sessions) as session:
            return await self._work(session, items, wait=wait)


def _fail(taken: Sequence[tuple[Item, asyncio.Future[Result | GameLock]]], error: Exception) -> None:
    for _, future in taken:
        if not future.done():
            future.set_exception(error)
