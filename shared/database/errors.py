"""The table of PostgreSQL's error states, which says what each means for the caller.

Everything that the server's state explains is an outage: the work is repeated and not taken for a bug of ours.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.errors import ConfigurationError, QuestbellError, TransientError

SETTING = "QUESTBELL_DATABASE_URL"


class Cause(enum.Enum):
    """Why PostgreSQL refused."""

    OUTAGE = "outage"
    """The server cannot do it now."""
    READ_ONLY = "read-only"
    """The server takes no writes now. Another one may do so at the same address, so no connection is kept."""
    SETTINGS = "settings"
    """A person must act: waiting does not help."""


STATES: Mapping[str, Cause] = {
    "08": Cause.OUTAGE,  # connection_exception
    "25006": Cause.READ_ONLY,  # read_only_sql_transaction: a standby, a demoted primary, a full disk of a provider
    "25P03": Cause.OUTAGE,  # idle_in_transaction_session_timeout
    "25P04": Cause.OUTAGE,  # transaction_timeout, of an administrator
    "28": Cause.SETTINGS,  # invalid_authorization_specification, invalid_password
    "3D": Cause.SETTINGS,  # invalid_catalog_name: no such database
    "3F": Cause.SETTINGS,  # invalid_schema_name: no schema of the search path exists
    "40": Cause.OUTAGE,  # transaction_rollback: serialization failures and deadlocks
    "42501": Cause.SETTINGS,  # insufficient_privilege
    "53": Cause.OUTAGE,  # insufficient_resources: disk full, out of memory, too many connections, a configured limit
    "55006": Cause.OUTAGE,  # object_in_use, such as a database that is being copied
    "55P03": Cause.OUTAGE,  # lock_not_available: lock_timeout
    "57": Cause.OUTAGE,  # operator_intervention: canceled, shut down, starting, dropped, idle for too long
    "58": Cause.OUTAGE,  # system_error: an input or output error outside PostgreSQL
    "XX": Cause.OUTAGE,  # internal_error: damaged data, or a bug of the server
}
"""By state or by class, which is its first two characters. A state decides before its class.

Everything else is a bug of ours, such as a syntax error or a violated constraint.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

_DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_UNAVAILABLE = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, PoolTimeoutError, OSError, TimeoutError)
"""Errors without a state while PostgreSQL is unavailable."""
_OUTDATED_PLAN = asyncpg.InvalidCachedStatementError
"""The schema changed. The driver prepares its statements again, so a repetition succeeds."""


def find_cause(error: BaseException) -> Cause | None:
    """Return why PostgreSQL refused, or None if its state does not explain it."""
    state: str = getattr(getattr(error, "orig", error), "sqlstate", None) or ""
    return STATES.get(state) or STATES.get(state[:2])


@contextmanager
def translated() -> Iterator[None]:
    """Raise the drivers' errors as ours.

    Raises:
        ConfigurationError: PostgreSQL rejects the user, the password, the database or the user's privileges.
        TransientError: PostgreSQL cannot be reached, ended the connection, or cannot do it now.
    """
    try:
        yield
    except (DBAPIError, *_DRIVER_ERRORS, *_UNAVAILABLE) as error:
        ours = _translate(error)
        if ours is None:
            raise
        raise ours from error


def _translate(error: BaseException) -> QuestbellError | None:
    """Return our error, or None for a bug of ours."""
    driver_error = _driver_error(error)
    cause = Cause.OUTAGE if isinstance(driver_error, _OUTDATED_PLAN) else find_cause(error)
    if isinstance(driver_error, asyncpg.InsufficientPrivilegeError):
        hint = "write the URL of the owner, or let the owner run GRANT for this user"
        return ConfigurationError(f"{SETTING}: {first_line(error)}; {hint}")
    if cause is Cause.SETTINGS or isinstance(driver_error, asyncpg.ClientConfigurationError):
        return ConfigurationError(f"{SETTING}: {first_line(error)}")
    if cause is Cause.READ_ONLY:
        return read_only_error()
    unavailable = isinstance(driver_error, _UNAVAILABLE) or getattr(error, "connection_invalidated", False)
    return unavailable_error(first_line(error)) if cause is Cause.OUTAGE or unavailable else None


def unavailable_error(reason: str) -> TransientError:
    """Return the error of an unavailable database."""
    return TransientError(f"database unavailable ({SETTING}): {reason}")


def read_only_error() -> TransientError:
    """Return the error of a server that takes no writes."""
    return unavailable_error("the server only reads; it may be a standby, or its disk may be full")


def first_line(error: BaseException) -> str:
    """Return a driver's message in one line, without the names of its classes."""
    message = _driver_error(error)
    return (str(message) or type(message).__name__).partition("\n")[0]


def _driver_error(error: BaseException) -> BaseException:
    """Return the driver's own error, which SQLAlchemy wraps twice."""
    adapted = getattr(error, "orig", None)
    return (adapted.__cause__ or adapted) if adapted is not None else error
