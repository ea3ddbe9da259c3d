"""One RabbitMQ connection with time-outs and our errors. The owner of a lost connection opens the next one.

aio-pika's robust connection was rejected. It hides a broker that lost its data by redeclaring everything, and a publish
waits without limit while the broker is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    ChannelInvalidStateError,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from shared import metrics
from shared.errors import ConfigurationError, TransientError, describe
from shared.settings import BrokerSettings

CONNECT_TIMEOUT = 5.0
"""Seconds. If there are several brokers, each has half of it, so that a vanished one costs little."""
CALL_TIMEOUT = 5.0
"""Seconds for one call, because heartbeats do not reveal that a single queue hangs."""
HEARTBEAT = 10
"""Seconds between heartbeats. Two detect a half-open connection."""
CLOSE_TIMEOUT = 2.0
"""Seconds for a graceful close."""

UNAVAILABLE = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError)
"""aio-pika's errors while the broker is unavailable."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise aio-pika's failures as our errors.

    Raises:
        ConfigurationError: the broker rejects the user name or the password.
        TransientError: the broker cannot be reached or ended the connection.
    """
    try:
        yield
    except ProbableAuthenticationError as error:
        raise ConfigurationError("QUESTBELL_AMQP_URL: the broker rejects this user name or password") from error
    except UNAVAILABLE as error:
        raise TransientError(f"broker unavailable (QUESTBELL_AMQP_URL): {describe(error)}") from error


async def connect(settings: BrokerSettings, *, name: str) -> AbstractConnection:
    """Open a connection called `name` to the first broker that answers. Raises as `translated`."""
    problems: dict[str, TransientError] = {}
    for url in settings.urls:
        try:
            return await _connect_to(url, name=name, timeout=CONNECT_TIMEOUT / min(2, len(settings.urls)))
        except TransientError as error:
            problems.setdefault(str(error), error)
    raise TransientError("; ".join(problems)) from next(iter(problems.values()))


async def _connect_to(url: str, *, name: str, timeout: float) -> AbstractConnection:
    with translated():
        try:
            async with asyncio.timeout(timeout):
                connection = await aio_pika.connect(
                    url, heartbeat=HEARTBEAT, client_properties={"connection_name": name}
                )
        except TimeoutError as error:
            raise TimeoutError(f"{urlsplit(url).hostname} did not answer within {timeout:g} s") from error
        except InvalidFrameError as error:  # the broker closed the connection instead of opening the virtual host
            virtual_host = unquote(urlsplit(url).path.removeprefix("/")) or "/"
            raise TransientError(
                f"broker unavailable (QUESTBELL_AMQP_URL): the virtual host {virtual_host!r} does not exist, "
                "or the user may not use it"
            ) from error
    metrics.BROKER_CONNECTIONS.inc()
    connection.close_callbacks.add(_count_closed)
    return connection


def _count_closed(*_args: object) -> None:
    metrics.BROKER_CONNECTIONS.dec()


async def open_channel(connection: AbstractConnection, **options: bool) -> AbstractChannel:
    """Open a channel.

    Raises:
        AMQPConnectionError: the connection is closed. aiormq itself raises a bare RuntimeError.
    """
    try:
        return await connection.channel(**options)
    except RuntimeError as error:
        raise AMQPConnectionError("the connection is closed") from error


async def disconnect(connection: AbstractConnection) -> None:
    """Close a connection in any state, without waiting long."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await connection.close()
    except UNAVAILABLE:
        return  # it is closed already


@asynccontextmanager
async def connected(settings: BrokerSettings, *, name: str) -> AsyncIterator[AbstractConnection]:
    """Open a connection for a block. Raises as `translated`."""
    connection = await connect(settings, name=name)
    try:
        yield connection
    finally:
        await disconnect(connection)
