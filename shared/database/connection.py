"""Opens connections with the guards that each needs.

A server may vanish without closing its connections. The kernel then ends them after some seconds, and time-outs do if
the kernel cannot know. PostgreSQL does the same for a client that vanished, which frees its locks. These settings are
written after connecting, because poolers reject unknown start-up parameters.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import asyncpg

from shared.database.errors import SETTING, first_line, read_only_error, translated, unavailable_error
from shared.errors import ConfigurationError, TransientError
from shared.settings import DatabaseSettings, Timing
from shared.urls import DatabaseUrl, Host

CONNECT_TIMEOUT = 5.0
"""Seconds. If there are several hosts, each has half of it, so that a vanished one costs little."""
ANSWER_TIMEOUT = 10.0
"""Seconds without an answer to a statement. Then the server is considered gone."""
STATEMENT_TIMEOUT = 9.0
"""Seconds. Then a server that works ends a statement, before its silence could mean that it is gone."""
PROBE_TIMEOUT = 2.0
"""Seconds for asking whether a connection still works."""

_TCP_OPTIONS = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 8_000}
"""Seconds, but milliseconds for the last. An operating system may lack some of them."""
_PLANS = {"enable_seqscan": "off", "jit": "off"}
"""Every statement reads a few rows by an index. A plan that was made while a table was small would read the whole table
until PostgreSQL analyzes it, which a new installation's first burst does not wait for. A plan that cannot avoid a scan
then seems so expensive that PostgreSQL would compile it."""
_POOLER_CHECKS = 3
_REJECTED_PARAMETER = "startup parameter"
"""In a pooler's answer to a start-up parameter that it does not know."""


class Connection(asyncpg.Connection):  # type: ignore[misc]  # reason: asyncpg has no types
    """A connection whose socket notices that the server has vanished."""

    def __init__(self, protocol: Any, transport: Any, *args: Any) -> None:
        super().__init__(protocol, transport, *args)
        _guard_socket(transport.get_extra_info("socket"))


async def connect(
    settings: DatabaseSettings,
    *,
    application_name: str,
    timing: Timing,
    answer_timeout: float | None = ANSWER_TIMEOUT,
    **parameters: str,
) -> Connection:
    """Open a connection with additional `parameters`. The hosts of the URL are tried in turn.

    Raises:
        ConfigurationError: PostgreSQL rejects the user, the password, the database or a parameter.
        TransientError: no host can be reached.
    """
    url = settings.parsed
    parameters = {**_PLANS, **_guards(timing, answer_timeout), **url.server_parameters, **parameters}
    problems = []
    for host in url.hosts:
        try:
            return await _connect_to(host, url, parameters, application_name, answer_timeout)
        except TransientError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    raise TransientError("; ".join(dict.fromkeys(map(str, problems)))) from problems[-1]


async def _connect_to(
    host: Host, url: DatabaseUrl, parameters: Mapping[str, str], application_name: str, answer_timeout: float | None
) -> Connection:
    timeout = CONNECT_TIMEOUT if len(url.hosts) == 1 else CONNECT_TIMEOUT / 2
    with translated():
        try:
            connection: Connection = await asyncpg.connect(
                **url.driver_arguments(host),
                timeout=timeout,
                command_timeout=answer_timeout,
                connection_class=Connection,
                server_settings={"application_name": application_name, **url.startup_parameters},
            )
        except asyncpg.TargetServerAttributeNotMatched as error:
            raise read_only_error() from error
        except TimeoutError as error:
            raise unavailable_error(f"{host.name} did not answer within {timeout:g} s") from error
        except asyncpg.ProtocolViolationError as error:
            if _REJECTED_PARAMETER not in str(error):
                raise  # PgBouncer gives this state to its own outages too
            raise ConfigurationError(f"{SETTING}: {first_line(error)}") from error
        try:
            await _set_parameters(connection, parameters)
        except BaseException:
            connection.terminate()
            raise
    return connection


async def _set_parameters(connection: Connection, parameters: Mapping[str, str]) -> None:
    """Set the session's parameters.

    Raises:
        ConfigurationError: PostgreSQL does not know one, or rejects its value.
    """
    try:
        await connection.fetch(
            "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS parameter (name, value)",
            list(parameters),
            list(parameters.values()),
            timeout=CONNECT_TIMEOUT,
        )
    except (asyncpg.DataError, asyncpg.SyntaxOrAccessError, asyncpg.CantChangeRuntimeParamError) as error:
        raise ConfigurationError(f"{SETTING}: {first_line(error)}") from error


def _guards(timing: Timing, answer_timeout: float | None) -> dict[str, str]:
    return {
        "timezone": "UTC",
        "idle_in_transaction_session_timeout": str(int(timing.transaction_timeout * 1000)),
        "statement_timeout": "0" if answer_timeout is None else str(int(STATEMENT_TIMEOUT * 1000)),
        "tcp_keepalives_idle": "4",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
    }


def _guard_socket(sock: socket.socket | None) -> None:
    if sock is None or sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP_OPTIONS.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def check_writable(connection: asyncpg.Connection) -> None:
    """Check that the server answers, and that it takes writes.

    Raises:
        TransientError: it is a standby, or set to read-only.
        Exception: the driver's errors.
    """
    if await connection.fetchval("SHOW transaction_read_only", timeout=PROBE_TIMEOUT) == "on":
        raise read_only_error()


async def check_session_mode(connection: asyncpg.Connection, other: asyncpg.Connection) -> None:
    """Check that two connections are two sessions of PostgreSQL.

    A pooler in transaction mode lets clients share sessions, so advisory locks, LISTEN and the time-outs of one client
    would be those of another.

    Raises:
        ConfigurationError: they share one.
    """
    with translated():
        for _ in range(_POOLER_CHECKS):
            sessions = [await session.fetchval("SELECT pg_backend_pid()") for session in (connection, other)]
            if sessions[0] == sessions[1]:
                raise ConfigurationError(
                    f"{SETTING}: this is a connection pooler in transaction mode; "
                    "write the address of its session mode, or of PostgreSQL itself"
                )
