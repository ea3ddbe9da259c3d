"""Micro-batches: simultaneous items share a transaction, and an error of one does not affect the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot.delivery import batch as module
from bot.delivery.batch import BATCH_LIMIT, LOCKED, Batch, GameLock
from shared.errors import TransientError


class Work:
    """Doubles numbers, and remembers its batches. The first waits until `go` is set."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.error: Exception | None = None
        self.locked: set[int] = set()

    async def __call__(self, _session: object, items: Sequence[int], *, wait: bool) -> list[int | GameLock]:
        self.batches.append(list(items))
        self.begun.set()
        await self.go.wait()
        if self.error is not None:
            raise self.error
        if 13 in items:
            raise ValueError("thirteen")
        return [LOCKED if item in self.locked and not wait else 2 * item for item in items]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    @asynccontextmanager
    async def transaction(_sessions: object) -> AsyncIterator[None]:
        yield None

    monkeypatch.setattr(module.database, "transaction", transaction)
    return Work()


def make_batch(work: Work) -> Batch[int, int]:
    sessions: Any = None
    return Batch(sessions, work)


async def test_items_that_arrive_during_a_batch_share_the_next_one(work: Work) -> None:
    batch = make_batch(work)
    first = asyncio.create_task(batch(0))
    await work.begun.wait()
    rest = [asyncio.create_task(batch(item)) for item in range(1, 6)]
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(first, *rest) == [0, 2, 4, 6, 8, 10]
    assert work.batches == [[0], [1, 2, 3, 4, 5]]


async def test_a_batch_has_a_maximum_size(work: Work) -> None:
    work.go.set()
    batch = make_batch(work)
    await asyncio.gather(*(batch(item) for item in range(100, 100 + BATCH_LIMIT + 7)))
    assert [len(batch) for batch in work.batches] == [BATCH_LIMIT, 7]


async def test_an_error_of_one_item_fails_only_that_item(work: Work) -> None:
    work.go.set()
    batch = make_batch(work)
    results = await asyncio.gather(*(batch(item) for item in (1, 13, 2)), return_exceptions=True)
    assert [results[0], results[2]] == [2, 4]
    assert isinstance(results[1], ValueError)


async def test_a_database_outage_fails_the_whole_batch_once(work: Work) -> None:
    work.go.set()
    work.error = TransientError("away")
    batch = make_batch(work)
    results = await asyncio.gather(*(batch(item) for item in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [TransientError] * 3
    assert len(work.batches) == 1


async def test_a_cancelled_caller_does_not_affect_the_others(work: Work) -> None:
    batch = make_batch(work)
    asked = [asyncio.create_task(batch(item)) for item in (1, 2)]
    await work.begun.wait()
    asked[0].cancel()
    work.go.set()
    assert await asked[1] == 4
    with pytest.raises(asyncio.CancelledError):
        await asked[0]


async def test_an_item_whose_game_is_locked_is_repeated_alone_and_does_not_delay_the_others(work: Work) -> None:
    work.locked = {2}
    work.go.set()
    batch = make_batch(work)
    assert await asyncio.gather(*(batch(item) for item in (1, 2, 3))) == [2, 4, 6]
    assert work.batches == [[1, 2, 3], [2]]
