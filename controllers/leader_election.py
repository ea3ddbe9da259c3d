"""Leader election with a PostgreSQL advisory lock. Two leaders at once break nothing.

A replica that dies releases the lock with its connection. PostgreSQL ends the idle session of a frozen one. A
Kubernetes Lease was rejected: it costs a write every few seconds.
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
"""Seconds between attempts to take or confirm the lock."""
CHECK_TIMEOUT = 2.0
"""Seconds."""
TRUSTED = 5.0
"""Seconds. Leadership expires without confirmation, because the process may have been frozen."""
IDLE_SESSION_TIMEOUT = 10.0
"""Seconds. Then PostgreSQL ends the session, which frees its lock."""

_STATUS_WRITER_LOCK = 0x5157_0001
"""The lock's first key: arbitrary, and the same in all releases."""


class LeadershipState(enum.Enum):
    """A replica's role, as far as it knows."""

    LEADER = "leader"
    FOLLOWER = "follower"
    UNKNOWN = "unknown"
    """The database cannot be reached."""


class LeaderElection:
    """Competes for one lock."""

    def __init__(self, settings: DatabaseSettings, timing: Timing, *, namespace: str) -> None:
        """Each namespace has its own leader, and several may share a database."""
        self._settings = settings
        self._timing = timing
        self._namespace = namespace
        self._last_known = LeadershipState.UNKNOWN
        self._confirmed_at = asyncio.get_running_loop().time()
        self._has_lock = False
        self._log = logs.get(component="leader_election")

    @property
    def state(self) -> LeadershipState:
        """Return the current state."""
        age = asyncio.get_running_loop().time() - self._confirmed_at
        return self._last_known if age < TRUSTED else LeadershipState.UNKNOWN

    @property
    def last_known(self) -> LeadershipState:
        """Return the last known state, however old."""
        return self._last_known

    async def run(self) -> None:
        """Compete until cancelled.

        Raises:
            TransientError: the database cannot be reached or ended the session, so nothing is known.
            ConfigurationError: the database rejects our user, password or database name.
        """
        async with self._session() as session:
            while True:
                self._record(await self._check(session))
                await asyncio.sleep(CHECK_INTERVAL)

    async def _check(self, session: asyncpg.Connection) -> LeadershipState:
        if self._has_lock:
            await database.check_writable(session)
            return LeadershipState.LEADER
        lock = "SELECT pg_try_advisory_lock($1, hashtext($2))"
        self._has_lock = await session.fetchval(lock, _STATUS_WRITER_LOCK, self._namespace, timeout=CHECK_TIMEOUT)
        return LeadershipState.LEADER if self._has_lock else LeadershipState.FOLLOWER

    def _record(self, state: LeadershipState) -> None:
        if state is not self._last_known:
            self._log.info("Leadership changed", action="leadership_changed", state=state.value)
        self._last_known, self._confirmed_at = state, asyncio.get_running_loop().time()
        metrics.LEADER.set(state is LeadershipState.LEADER)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[asyncpg.Connection]:
        self._has_lock = False
        with database.translated():
            session = await database.connect(
                self._settings,
                application_name="questbell leader election",
                timing=self._timing,
                idle_session_timeout=str(int(IDLE_SESSION_TIMEOUT * 1000)),
            )
            try:
                yield session
            finally:
                metrics.LEADER.set(0)
                session.terminate()  # immediately: a graceful close could wait for a server that is gone
