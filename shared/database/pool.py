"""The connection pool, and transactions on it.

A connection is probed before each use. Once a server stops answering, no older connection is trusted: otherwise each of
a pool's dead connections would cost its own time-out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import event, func, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, Pool, QueuePool

from shared import metrics
from shared.database.connection import ANSWER_TIMEOUT, CONNECT_TIMEOUT, check_session_mode, check_writable, connect
from shared.database.errors import Cause, find_cause, translated
from shared.settings import DatabaseSettings, Timing

DIALECT = "postgresql+asyncpg://"

Sessions = async_sessionmaker[AsyncSession]


@asynccontextmanager
async def engine(
    settings: DatabaseSettings,
    *,
    application_name: str,
    timing: Timing,
    answer_timeout: float | None = ANSWER_TIMEOUT,
) -> AsyncIterator[AsyncEngine]:
    """Open the connection pool for a block."""
    is_session_mode = False

    async def create() -> Any:
        nonlocal is_session_mode

        async def open_one() -> Any:
            return await connect(
                settings, application_name=application_name, timing=timing, answer_timeout=answer_timeout
            )

        connection = await open_one()
        if not is_session_mode:
            await _check_pooler(connection, open_one)
            is_session_mode = True
        return connection

    created = create_async_engine(
        DIALECT, async_creator=create, pool_size=settings.pool_size, max_overflow=0, pool_timeout=CONNECT_TIMEOUT
    )
    _watch(created)
    _register_pool_metrics(created.pool, size=settings.pool_size)
    try:
        yield created
    finally:
        await created.dispose()


async def _check_pooler(connection: asyncpg.Connection, open_one: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
    """Check the session mode of a pooler, which answers with another process id."""
    if connection.get_server_pid() == await connection.fetchval("SELECT pg_backend_pid()"):
        return
    other = await open_one()
    try:
        await check_session_mode(connection, other)
    finally:
        other.terminate()


def _watch(engine: AsyncEngine) -> None:
    """Discard connections that no longer work, and with them all that were made before."""

    @event.listens_for(engine.sync_engine, "connect")
    def mark_as_new(_connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info["is_new"] = True

    @event.listens_for(engine.sync_engine, "checkout")
    def probe(connection: Any, entry: ConnectionPoolEntry, _proxy: object) -> None:
        if entry.info.pop("is_new", False):
            return
        try:
            connection.run_async(check_writable)
        # Whatever failed, a new connection shows what is wrong.
        except Exception as error:
            raise InvalidatePoolError from error

    @event.listens_for(engine.sync_engine, "handle_error")
    def distrust(context: Any) -> None:
        error = context.original_exception
        if isinstance(error, TimeoutError) or find_cause(error) is Cause.READ_ONLY:
            context.is_disconnect = context.invalidate_pool_on_disconnect = True

    @event.listens_for(engine.sync_engine, "close")
    def close_at_once(connection: Any, _entry: ConnectionPoolEntry) -> None:
        # A graceful close would wait for a server that is gone.
        connection.driver_connection.terminate()


def _register_pool_metrics(pool: Pool, *, size: int) -> None:
    metrics.DATABASE_CONNECTIONS_MAX.set(size)
    if isinstance(pool, QueuePool):
        metrics.DATABASE_CONNECTIONS.labels("in_use").set_function(pool.checkedout)
        metrics.DATABASE_CONNECTIONS.labels("idle").set_function(pool.checkedin)


def sessions(engine: AsyncEngine) -> Sessions:
    """Return the session factory. Objects stay readable after their commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def transaction(factory: Sessions) -> AsyncIterator[AsyncSession]:
    """Run a block in one transaction.

    Raises:
        ConfigurationError: PostgreSQL rejects us, and waiting does not help.
        TransientError: PostgreSQL cannot be reached, ended the connection, or cannot do it now. The commit may have
            been applied, so callers must be repeatable.
    """
    with translated():
        async with factory() as session, session.begin():
            yield session


async def ping(factory: Sessions) -> None:
    """Wait for the answer that writes are accepted. Raises as `transaction`."""
    async with transaction(factory) as session:
        await require_writable(session)


async def require_writable(session: AsyncSession) -> None:
    """Check that writes are accepted, in a transaction that only reads. A new connection was not probed.

    Raises:
        TransientError: the server is a standby, or set to read-only.
    """
    connection = await (await session.connection()).get_raw_connection()
    await check_writable(connection.driver_connection)


async def now(session: AsyncSession) -> datetime:
    """Return the database's time, which alone decides what is due."""
    moment: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return moment
