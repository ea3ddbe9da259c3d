"""This process's share of Discord's limit of requests, if the bot has several processes.

Each process renews its share every few seconds: an equal part of the limit, but no more than the others leave. So a
new process begins with what is free, and grows when the others have shrunk. The share of a process that is gone is free
when its lease ends. Without the database, a process makes no request after its lease: others may have its share.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from bot.delivery.rate_limits import REQUESTS_PER_SECOND, RateLimiter
from shared import database, logs, sql
from shared.database import Sessions
from shared.errors import TransientError

LEASE = 15.0
RENEW_INTERVAL = 2.0
_LOCK_CLASS = 7303
"""Tells the advisory lock of the shares apart from all others."""
_RELEASE_TIMEOUT = 2.0
_SQL = sql.load("bot_processes")


class RequestShare:
    """The share of one process, which the rate limiter uses."""

    def __init__(self, sessions: Sessions, limiter: RateLimiter, *, ordinal: int) -> None:
        self._sessions = sessions
        self._limiter = limiter
        self._ordinal = ordinal
        self._ends = 0.0
        self._taken = asyncio.Event()
        limiter.take_share(0.0, ends=self._ends)

    async def wait(self) -> None:
        """Wait for the first share."""
        await self._taken.wait()

    async def run(self) -> None:
        """Renew the share until cancelled.

        Raises:
            TransientError: PostgreSQL cannot be reached. The share lasts until its lease ends.
        """
        while True:
            await self.renew()
            await asyncio.sleep(RENEW_INTERVAL)

    async def renew(self) -> None:
        """Take the share that this process may have now. A smaller one is used before others can see it."""
        before, ends = self._limiter.share, asyncio.get_running_loop().time() + LEASE
        async with database.transaction(self._sessions) as session:
            await session.execute(_SQL["lock_shares"], {"class": _LOCK_CLASS})
            parameters = {
                "ordinal": self._ordinal,
                "limit": float(REQUESTS_PER_SECOND),
                "lease": timedelta(seconds=LEASE),
            }
            share: float = (await session.execute(_SQL["take_share"], parameters)).scalar_one()
            if share < before:
                self._limiter.take_share(share, ends=self._ends)
        self._ends = ends
        self._limiter.take_share(share, ends=ends)
        if share != before:
            logs.get().info("Share of Discord's limit", action="share_changed", requests_per_second=round(share, 1))
        if self._limiter.share:
            self._taken.set()

    async def release(self) -> None:
        """Leave the share to the other processes. If that fails, its lease ends soon."""
        self._limiter.take_share(0.0, ends=0.0)
        with suppress(TransientError, TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT), database.transaction(self._sessions) as session:
                await session.execute(_SQL["release_share"], {"ordinal": self._ordinal})
