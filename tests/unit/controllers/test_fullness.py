"""How many rows a loop publishes at once to a queue that may be full."""

from __future__ import annotations

import pytest

from controllers.loops.fullness import BatchSize
from shared.messaging.topology import MAX_LENGTH, QueueState


class ShortQueue:
    """A queue that takes all it has room for, and that nobody reads."""

    def __init__(self, *, length: int = MAX_LENGTH) -> None:
        self.messages, self.rejected, self.inspections = 0, 0, 0
        self._length = length
        self.batch_size = BatchSize(self.inspect)

    async def inspect(self) -> QueueState:
        self.inspections += 1
        return QueueState(self.messages, consumer_count=1)

    async def publish(self, due: int, *, batch_size: int = 100) -> int:
        """Publish the next batch of so many due rows, and return its size."""
        size = await self.batch_size.limit(batch_size)
        if size:
            claimed = min(size, due)
            rejected = max(0, self.messages + claimed - self._length)
            self.batch_size.observe(size, claimed=claimed, is_rejected=rejected > 0)
            self.messages += claimed - rejected
            self.rejected += rejected
        return size


async def test_a_queue_that_was_never_full_is_not_asked() -> None:
    queue = ShortQueue()
    for _ in range(MAX_LENGTH // 100):
        assert await queue.publish(1_000) == 100
    assert queue.inspections == 0


async def test_a_backlog_costs_one_rejected_batch() -> None:
    queue = ShortQueue()
    for _ in range(500):
        await queue.publish(1_000)
        queue.messages -= min(queue.messages, 30)
    assert 0 < queue.rejected <= 100
    assert queue.messages > MAX_LENGTH // 2  # the bot always has work


async def test_a_queue_without_readers_gets_nothing_more() -> None:
    queue = ShortQueue()
    sizes = [await queue.publish(1_000) for _ in range(50)]
    assert sizes[-20:] == [0] * 20
    assert queue.messages == MAX_LENGTH


async def test_a_large_batch_waits_for_half_of_the_queue_alone() -> None:
    queue = ShortQueue()
    for _ in range(5):
        await queue.publish(5_000, batch_size=1_000)
    queue.messages = MAX_LENGTH // 2 + 1
    assert await queue.publish(5_000, batch_size=1_000) == 0
    queue.messages = MAX_LENGTH // 2
    assert await queue.publish(5_000, batch_size=1_000) == MAX_LENGTH // 2


async def test_a_queue_is_not_asked_after_its_backlog() -> None:
    queue = ShortQueue()
    for _ in range(20):
        await queue.publish(1_000)
    queue.messages = 0
    assert await queue.publish(10) > 10
    asked = queue.inspections
    assert await queue.publish(10) > 10
    assert queue.inspections == asked


@pytest.mark.parametrize("length", [1, 3, 150])
async def test_a_queue_that_is_shorter_than_declared_gets_small_batches(length: int) -> None:
    queue = ShortQueue(length=length)
    for _ in range(20):
        await queue.publish(1_000)
    assert await queue.publish(1_000) <= max(1, 100 // 2**5)
    assert queue.messages == length


async def test_a_missing_queue_is_published_to_so_that_it_is_declared_again() -> None:
    async def inspect() -> None:
        return None

    batch_size = BatchSize(inspect)
    batch_size.observe(100, claimed=100, is_rejected=True)
    assert await batch_size.limit(100) == 50
