"""One RabbitMQ connection with time-outs and our errors. The owner of a lost connection opens the next one.

aio-pika's robust connection was rejected. It hides a broker that lost its data by redeclaring everything, and a publish
waits without limit while the broker is down.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import unquote, urlsplit

import aio_pika
import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AMQPConnectionError,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from shared import metrics
from shared.errors import ConfigurationError, TransientError, describe, reraise_cancellation
from shared.settings import BrokerSettings

CONNECT_TIMEOUT = 5.0
"""Seconds. If there are several brokers, each has half of it, so that a vanished one costs little."""
CALL_TIMEOUT = 5.0
"""Seconds for one call, because heartbeats do not reveal that a single queue hangs."""
HEARTBEAT = 5
"""Seconds. Either side gives up a connection on which no frame came for twice as long. RabbitMQ advises against less,
because a slow network would be mistaken for a lost one."""
aiormq.Connection.HEARTBEAT_GRACE_MULTIPLIER = 2  # as the broker; aiormq's own three would cost 18 s
aiormq.Connection.FRAME_BUFFER_SIZE = 1_000  # with aiormq's own ten, a batch is written message by message
CLOSE_TIMEOUT = 2.0
"""Seconds for a graceful close."""

UNAVAILABLE = (*CONNECTION_EXCEPTIONS, TimeoutError, EOFError, asyncio.InvalidStateError, AttributeError)
"""What aio-pika raises while the broker is unavailable: its own list, our time-outs, and what calls on a connection
raise that is being torn down."""


def is_unavailable(error: BaseException | None) -> bool:
    """Return whether aio-pika raised this because the broker is unavailable.

    aiormq ends the pending calls of a lost connection with a bare Exception or with CancelledError.
    """
    return isinstance(error, UNAVAILABLE) or type(error) in (Exception, asyncio.CancelledError)


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
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError):
            reraise_cancellation()
        if not is_unavailable(error):
            raise
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
        except (ValueError, LookupError, struct.error) as error:
            raise AMQPConnectionError(f"{urlsplit(url).hostname} is no AMQP server") from error
    metrics.BROKER_CONNECTIONS.inc()
    connection.close_callbacks.add(_count_closed)
    return connection


def _count_closed(*_args: object) -> None:
    metrics.BROKER_CONNECTIONS.dec()


async def open_channel(connection: AbstractConnection, **options: bool) -> AbstractChannel:
    """Open a channel.

    Raises:
        AMQPConnectionError: the connection is closed, or has no channel left. aiormq itself raises bare errors.
    """
    try:
        return await connection.channel(**options)
    except (RuntimeError, ValueError, LookupError) as error:
        raise AMQPConnectionError(describe(error)) from error


async def close(resource: AbstractChannel | AbstractConnection) -> bool:
    """Close a channel or connection in any state, without waiting long. Return whether the broker answered."""
    try:
        with translated():
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await resource.close()
    except TransientError:
        return False
    return True


@asynccontextmanager
async def connected(settings: BrokerSettings, *, name: str) -> AsyncIterator[AbstractConnection]:
    """Open a connection for a block. Raises as `translated`."""
    connection = await connect(settings, name=name)
    try:
        yield connection
    finally:
        await close(connection)
