"""Which replica does what needs to be done only once: the one that holds a PostgreSQL advisory lock.

For tidiness only: nothing breaks when two believe that they lead. The lock lives in a session, so a replica that dies
gives it back with its connection; one that is frozen loses its session after some idle seconds, for its kernel goes on
answering keepalives. A Kubernetes lease was rejected: it costs a write every few seconds for ever.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from shared import database, logs, metrics
from shared.settings import DatabaseSettings, Timing

CHECK_INTERVAL = 1.0
"""Seconds between two tries for the lock, and between two looks whether we still have it."""
CHECK_TIMEOUT = 2.0
"""Seconds for one of them."""
TRUSTED = 5.0
"""Seconds after which a standing that was not confirmed counts no more: the process may have been frozen."""
IDLE_SESSION_TIMEOUT = 10.0
"""Seconds after which PostgreSQL ends a session that does not check, and gives its lock to another."""

_WRITE_STATUS = 0x5157_0001
"""The first key of the lock of who writes status; arbitrary, and the same in all releases."""


class Standing(enum.Enum):
    """What a replica knows of its own place."""

    LEADS = "leads"
    FOLLOWS = "follows"
    UNKNOWN = "unknown"
    """The database cannot be asked."""


class Leadership:
    """Tries for one lock, for as long as `run` runs."""

    def __init__(self, settings: DatabaseSettings, timing: Timing, *, namespace: str) -> None:
        """Operators of different namespaces, which may share a database, lead apart."""
        self._settings = settings
        self._timing = timing
        self._namespace = namespace
        self._said = Standing.UNKNOWN
        self._confirmed_at = asyncio.get_running_loop().time()
        self._holds = False
        self._log = logs.get(component="leadership")

    @property
    def standing(self) -> Standing:
        """Return what is known now."""
        return self._said if self._age() < TRUSTED else Standing.UNKNOWN

    @property
    def last_known(self) -> Standing:
        """Return the last standing that was known, however long ago."""
        return self._said

    async def run(self) -> None:
        """Try for the lock, and keep it, until the session ends.

        Raises:
            TransientError: the database cannot be reached or ended the session.
            ConfigurationError: it refuses our name, our password or the database's name.
        """
        async with self._session() as session:
            while True:
                self._note(await self._ask(session))
                await asyncio.sleep(CHECK_INTERVAL)

    async def _ask(self, session: asyncpg.Connection) -> Standing:
        if self._holds:
            await session.execute("SELECT 1", timeout=CHECK_TIMEOUT)
            return Standing.LEADS
        lock = "SELECT pg_try_advisory_lock($1, hashtext($2))"
        self._holds = await session.fetchval(lock, _WRITE_STATUS, self._namespace, timeout=CHECK_TIMEOUT)
        return Standing.LEADS if self._holds else Standing.FOLLOWS

    def _note(self, standing: Standing) -> None:
        if standing is not self._said:
            self._log.info("Standing changed", action="standing_changed", standing=standing.value)
        self._said, self._confirmed_at = standing, asyncio.get_running_loop().time()
        metrics.LEADER.set(standing is Standing.LEADS)

    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._confirmed_at

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[asyncpg.Connection]:
        self._holds = False
        with database.translated():
            session = await database.connect(
                self._settings,
                application_name="questbell leadership",
                timing=self._timing,
                idle_session_timeout=str(int(IDLE_SESSION_TIMEOUT * 1000)),
            )
            try:
                yield session
            finally:
                metrics.LEADER.set(0)
                session.terminate()  # at once: a polite good-bye could wait for a server that is gone
