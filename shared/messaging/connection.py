"""One connection to RabbitMQ, with time-outs, and its failures as ours.

aio-pika's robust connection was rejected: it silently declares again what it once declared, which hides a broker
that lost all its data, and a publish on it while it is down waits without limit. Here a connection lives once; who
holds it makes the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPConnectionError, AMQPError, ChannelInvalidStateError, ProbableAuthenticationError

from shared import metrics
from shared.errors import ConfigurationError, TransientError
from shared.settings import BrokerSettings

CONNECT_TIMEOUT = 5.0
"""Seconds to open a connection."""
CALL_TIMEOUT = 5.0
"""Seconds for what is asked of the broker once it is connected: heartbeats do not tell that one queue hangs."""
HEARTBEAT = 10
"""Seconds between heartbeats: a half-open connection is noticed within two."""
CLOSE_TIMEOUT = 2.0
"""Seconds for a polite good-bye."""

UNAVAILABLE = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError)
"""What aio-pika raises while the broker cannot be reached or ends the connection."""


async def connect(settings: BrokerSettings, *, name: str) -> AbstractConnection:
    """Open a connection that shows under `name` in the broker's list.

    Raises:
        ConfigurationError: the broker refuses the user name or the password.
        TransientError: the broker cannot be reached.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            connection = await aio_pika.connect(
                settings.url.get_secret_value(), heartbeat=HEARTBEAT, client_properties={"connection_name": name}
            )
    except ProbableAuthenticationError as error:
        raise ConfigurationError("QUESTBELL_AMQP_URL: the broker refuses this user name or password") from error
    except UNAVAILABLE as error:
        raise TransientError(f"broker unavailable (QUESTBELL_AMQP_URL): {error or type(error).__name__}") from error
    metrics.BROKER_CONNECTIONS.inc()
    connection.close_callbacks.add(_note_closed)
    return connection


def _note_closed(*_of: object) -> None:
    metrics.BROKER_CONNECTIONS.dec()


async def open_channel(connection: AbstractConnection, **options: bool) -> AbstractChannel:
    """Open a channel. A connection that broke unnoticed says so as every other failure does.

    Raises:
        AMQPConnectionError: the connection is closed, which aiormq tells by a bare RuntimeError.
    """
    try:
        return await connection.channel(**options)
    except RuntimeError as error:
        raise AMQPConnectionError("the connection is closed") from error


async def disconnect(connection: AbstractConnection) -> None:
    """Close a connection whatever its state; a broker that does not answer is not waited for."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await connection.close()
    except UNAVAILABLE:
        return  # it is gone already, which is what was wanted


@asynccontextmanager
async def connected(settings: BrokerSettings, *, name: str) -> AsyncIterator[AbstractConnection]:
    """Hold a connection for a block."""
    connection = await connect(settings, name=name)
    try:
        yield connection
    finally:
        await disconnect(connection)
