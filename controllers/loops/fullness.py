"""Whether a queue is full, or takes no messages at all, without changing with every batch while a backlog drains, and
how many rows to publish at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from shared import logs
from shared.messaging.publisher import PublishResult
from shared.messaging.topology import MAX_LENGTH, QueueState

ROOM_AFTER = 10.0
"""Seconds without a batch that had to wait after which a queue has room again."""
DEGRADED_AFTER = 30.0
"""Seconds. A burst fills a queue for a few seconds, which needs nobody's attention."""
STUCK_AFTER = 120.0
"""Seconds. A broker that restarts takes less to recover its queues, and failed rows are tried again sooner."""


class Fullness:
    """Observes a queue's batches. Each change is one log line."""

    def __init__(self, log: logs.Logger) -> None:
        self._log = log
        self._full_since: float | None = None
        self._full_at = 0.0

    def observe(self, *, is_full: bool) -> None:
        """Record whether the queue had no room for the latest batch, if there was one."""
        now = asyncio.get_running_loop().time()
        if is_full:
            self._full_at = now
            if self._full_since is None:
                self._full_since = now
                self._log.warning("The queue is full, so rows wait in the database", action="queue_full")
        elif self._full_since is not None and now - self._full_at >= ROOM_AFTER:
            seconds = round(self._full_at - self._full_since)
            self._full_since = None
            self._log.info("The queue has room again", action="queue_has_room", seconds=seconds)

    @property
    def is_full(self) -> bool:
        """Whether the queue had no room lately."""
        return self._full_since is not None

    @property
    def is_degraded(self) -> bool:
        """Whether the queue has been full for long."""
        return self._full_since is not None and self._full_at - self._full_since >= DEGRADED_AFTER


class BatchSize:
    """Limits a batch to the rows that a queue is likely to accept.

    A rejected message costs as much as another. Therefore a queue that rejected one is asked how many messages it has,
    until its backlog is gone.
    """

    def __init__(self, inspect: Callable[[], Awaitable[QueueState | None]]) -> None:
        self._inspect = inspect
        self._likely = MAX_LENGTH
        """Halved if the queue rejects a message, which may be shorter than we declare it, and doubled if not."""
        self._room: int | None = None
        """How many messages the queue has room for, or None while it is not asked."""

    async def limit(self, batch_size: int) -> int:
        """Return the size of the next batch, or 0 while the queue has no room for a batch or for half of itself.

        Raises:
            TransientError: the queue was asked and did not answer.
        """
        size = min(batch_size, self._likely)
        if self._room is None:
            return size
        if self._room < size:
            state = await self._inspect()
            self._room = size if state is None else MAX_LENGTH - state.message_count
        return min(size, self._room) if self._room >= min(size, MAX_LENGTH // 2) else 0

    def observe(self, size: int, *, claimed: int, is_rejected: bool) -> None:
        """Record a batch of this size: how many rows it had, and whether the queue rejected one."""
        if is_rejected:
            self._likely = max(1, size // 2)
            self._room = 0
            return
        self._likely = 2 * size
        if claimed < size:
            self._room = None
        elif self._room is not None:
            self._room -= claimed


class Acceptance:
    """Observes whether a queue takes any messages."""

    def __init__(self) -> None:
        self._refused_since: float | None = None
        self._refused_at = 0.0

    def observe(self, results: Collection[PublishResult]) -> None:
        """Record the results of the latest batch, if there was one."""
        now = asyncio.get_running_loop().time()
        if PublishResult.CONFIRMED in results:
            self._refused_since = None
        elif results:
            if self._refused_since is None or now - self._refused_at >= STUCK_AFTER:
                self._refused_since = now
            self._refused_at = now

    @property
    def is_stuck(self) -> bool:
        """Whether the queue has taken nothing for minutes. Tried long ago says nothing: another replica may publish."""
        since, now = self._refused_since, asyncio.get_running_loop().time()
        return since is not None and self._refused_at - since >= STUCK_AFTER > now - self._refused_at
