"""Lets the shards of all processes begin their sessions one after the other, as Discord demands.

It accepts one IDENTIFY in 5 seconds from the shards whose numbers are equal modulo `max_concurrency`, and answers a
second one with an invalid session. Source:
https://docs.discord.com/developers/events/gateway#sharding-max-concurrency

A shard takes its turn before it connects: a connection that waits for longer than a minute is closed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.shards import Shard
from shared import database, logs
from shared.database import Sessions
from shared.errors import TransientError, describe

INTERVAL = 5.25
"""Seconds between two IDENTIFYs: Discord's 5, and a little for their ways to it."""
LOCK_TIMEOUT = 120.0
"""Seconds to wait for the other processes. Each needs its turn for some seconds, and only a frozen one for longer."""
POLL_INTERVAL = 0.25
_LOCK_CLASS = 7302
"""Tells the advisory locks of turns apart from all others."""

EndTurn = Callable[[], Awaitable[None]]


class IdentifyTurns:
    """The turns of one process, shared with the others by locks in the database if there are others."""

    def __init__(self, sessions: Sessions, *, is_alone: bool, max_concurrency: int = 1) -> None:
        self._sessions = sessions
        self._is_alone = is_alone
        self._max_concurrency = max_concurrency
        self._own: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next_at: dict[int, float] = {}

    @asynccontextmanager
    async def take(self, shard: Shard) -> AsyncIterator[EndTurn]:
        """Wait for the shard's turn, and yield the function that ends it when the shard identifies.

        The interval passes before the turn, with the lock held: a process that dies right after it cannot let another
        one identify too soon.
        """
        key, clock = shard.number % self._max_concurrency, asyncio.get_running_loop().time
        async with AsyncExitStack() as turn:
            await turn.enter_async_context(self._own[key])
            if self._is_alone:
                await asyncio.sleep(self._next_at.get(key, 0.0) - clock())
            else:
                await turn.enter_async_context(self._lock(key))
                await asyncio.sleep(INTERVAL)

            async def end() -> None:
                self._next_at[key] = clock() + INTERVAL
                await turn.aclose()

            yield end

    @asynccontextmanager
    async def _lock(self, key: int) -> AsyncIterator[None]:
        """Hold a key's lock for a block. Without the database, shards connect nevertheless."""
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(self._sessions())
            try:
                async with asyncio.timeout(LOCK_TIMEOUT):
                    await _acquire(session, key)
                stack.push_async_callback(_release, session)
            except (TransientError, TimeoutError) as error:
                logs.get().warning("Connecting without a turn", action="turn_unknown", error=describe(error))
            yield


async def _acquire(session: AsyncSession, key: int) -> None:
    """Wait for a lock, which ends with the connection. The server is asked repeatedly, as it ends long statements."""
    with database.translated():
        connection = await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        while True:
            if (await connection.execute(select(func.pg_try_advisory_lock(_LOCK_CLASS, key)))).scalar_one():
                return
            await asyncio.sleep(POLL_INTERVAL)


async def _release(session: AsyncSession) -> None:
    with suppress(TransientError), database.translated():  # a lock that is lost has ended with its connection
        await session.execute(select(func.pg_advisory_unlock_all()))
