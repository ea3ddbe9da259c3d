"""A proxy between a process and a server whose connections can be observed, cut, silenced and delayed.

Silence is what a network without a route does: nothing arrives on either side, not even the end of a connection, and
the bytes in flight arrive when the route is back, as TCP's retransmissions would bring them. Abandoned connections stay
silent for ever while new ones work, as when a node dies and another one answers at the same address. Firewall rules
would do the same to real packets, but need root and a kernel that supports them.
"""

from __future__ import annotations

import asyncio
import enum
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

_CHUNK_SIZE = 1 << 16
_ACCEPTED = 0.01
"""Seconds until what waits is accepted: asyncio never closes a connection that it accepts while its server closes."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Direction(enum.Enum):
    """The direction of bytes."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"


@dataclass(frozen=True)
class Chunk:
    """Bytes that are about to be forwarded."""

    connection: int
    direction: Direction
    data: bytes


class Action(enum.Enum):
    """What happens to a chunk and to its connection."""

    FORWARD = "forward"
    RESET = "reset"


Interceptor = Callable[[Chunk], Awaitable[Action]]


class FaultProxy:
    """A proxy of one server for one process; the process connects to `port`."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._unblocked = asyncio.Event()
        self._unblocked.set()
        self._connections: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self._is_closed = False
        self.interceptors: list[Interceptor] = []
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FaultProxy]:
        """Forward connections for a block."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._is_closed = True
            await asyncio.sleep(_ACCEPTED)
            server.close()
            await self.cut()

    def silence(self) -> None:
        """Stop forwarding, without a reset."""
        self._unblocked.clear()

    def restore(self) -> None:
        """Forward again."""
        self._unblocked.set()

    def abandon(self) -> None:
        """Never forward for the present connections again. New ones work."""
        self._unblocked.clear()
        self._unblocked = asyncio.Event()
        self._unblocked.set()

    async def cut(self) -> None:
        """Reset every connection; new ones are accepted."""
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_closed:
            return _reset(writer)
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        task.add_done_callback(lambda _: _reset(writer))  # also if it is cut before it began
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, upstream_writer, unblocked = next(self._numbers), None, self._unblocked
        try:
            await unblocked.wait()
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
            directions = (
                asyncio.create_task(self._forward(number, Direction.TO_SERVER, reader, upstream_writer, unblocked)),
                asyncio.create_task(self._forward(number, Direction.TO_CLIENT, upstream_reader, writer, unblocked)),
            )
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in directions:
                    task.cancel()
                await asyncio.gather(*directions, return_exceptions=True)
        except OSError:
            pass  # the server is down: the reset below reports it to the client
        finally:
            if upstream_writer is not None:
                _reset(upstream_writer)

    async def _forward(
        self,
        number: int,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        unblocked: asyncio.Event,
    ) -> None:
        while data := await reader.read(_CHUNK_SIZE):
            await unblocked.wait()
            for interceptor in list(self.interceptors):
                if await interceptor(Chunk(number, direction, data)) is Action.RESET:
                    return
            writer.write(data)
            await writer.drain()
        await unblocked.wait()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Reset a connection and drop what is still buffered."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
