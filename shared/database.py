"""Access to PostgreSQL, and the translation of driver errors into ours.

Keepalives and an idle-in-transaction limit release a lost replica's rows within seconds. Every statement also has a
client-side time-out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from functools import partial

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import Pool, QueuePool

from shared import metrics
from shared.errors import ConfigurationError, QuestbellError, TransientError
from shared.settings import DatabaseSettings, Timing

DIALECT = "postgresql+asyncpg://"
CONNECT_TIMEOUT = 5.0
"""Seconds."""
DISPOSE_TIMEOUT = 1.0
"""Seconds to close the pool. A server may be frozen."""
STATEMENT_TIMEOUT = 10.0
"""Seconds. Then the connection is discarded."""

UNAVAILABLE = (
    OperationalError,
    InterfaceError,
    PoolTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.TooManyConnectionsError,
    OSError,
    TimeoutError,
)
"""The drivers' errors while PostgreSQL is unavailable."""

REJECTED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
)
"""asyncpg's errors that waiting does not fix, such as a wrong password."""

Sessions = async_sessionmaker[AsyncSession]


def server_settings(*, application_name: str, timing: Timing) -> dict[str, str]:
    """Return the parameters of all our connections."""
    return {
        "application_name": application_name,
        "timezone": "UTC",
        "idle_in_transaction_session_timeout": str(int(timing.transaction_timeout * 1000)),
        "tcp_keepalives_idle": "4",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
    }


async def connect(
    settings: DatabaseSettings,
    *,
    application_name: str,
    timing: Timing,
    statement_timeout: float | None = STATEMENT_TIMEOUT,
    **parameters: str,
) -> asyncpg.Connection:
    """Open a connection with additional `parameters`. The URL may have libpq's options."""
    return await asyncpg.connect(
        settings.url.get_secret_value(),
        timeout=CONNECT_TIMEOUT,
        command_timeout=statement_timeout,
        server_settings={**server_settings(application_name=application_name, timing=timing), **parameters},
    )


@asynccontextmanager
async def engine(settings: DatabaseSettings, *, application_name: str, timing: Timing) -> AsyncIterator[AsyncEngine]:
    """Open the connection pool for a block."""
    created = create_async_engine(
        DIALECT,
        async_creator=partial(connect, settings, application_name=application_name, timing=timing),
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT,
        pool_pre_ping=True,
    )
    _register_pool_metrics(created.pool, size=settings.pool_size)
    try:
        yield created
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(DISPOSE_TIMEOUT):
                await created.dispose()


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
        TransientError: PostgreSQL could not be reached or ended the connection, or there was a deadlock. The commit may
            have been applied, so callers must be repeatable.
    """
    with translated():
        async with factory() as session, session.begin():
            yield session


async def ping(factory: Sessions) -> None:
    """Wait for an answer. Raises as `transaction`."""
    async with transaction(factory) as session:
        await session.execute(select(1))


@contextmanager
def translated() -> Iterator[None]:
    """Raise the drivers' errors as ours.

    Raises:
        ConfigurationError: PostgreSQL rejects the user, the password or the database name.
        TransientError: as `transaction`.
    """
    try:
        yield
    except (DBAPIError, *UNAVAILABLE, *REJECTED) as error:
        ours = _classify(error)
        if ours is None:
            raise
        raise ours from error


def _classify(error: BaseException) -> QuestbellError | None:
    """Return our error, or None for a bug of ours."""
    state: str = getattr(getattr(error, "orig", error), "sqlstate", None) or ""
    if isinstance(error, REJECTED) or state in _REJECTED_STATES:
        return ConfigurationError(f"QUESTBELL_DATABASE_URL: {_first_line(error)}")
    retryable = state in _RETRYABLE or state.startswith(_CONNECTION_EXCEPTION)
    if isinstance(error, UNAVAILABLE) or retryable or getattr(error, "connection_invalidated", False):
        return TransientError(f"database unavailable (QUESTBELL_DATABASE_URL): {_first_line(error)}")
    return None


async def now(session: AsyncSession) -> datetime:
    """Return the database's time, which alone decides what is due."""
    moment: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


_REJECTED_STATES = {
    "28000",  # invalid_authorization_specification
    "28P01",  # invalid_password
    "3D000",  # invalid_catalog_name
}
_CONNECTION_EXCEPTION = "08"
"""The class of failed or lost connections (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""
_RETRYABLE = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "25P03",  # idle_in_transaction_session_timeout
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
    "53300",  # too_many_connections
}


def _first_line(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    return (str(original) or type(original).__name__).partition("\n")[0].rpartition("Error'>: ")[2]
