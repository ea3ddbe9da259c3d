"""A wire between a process and a server that can be watched, cut, silenced and slowed, byte for byte.

Silence is what a network without a route does: nothing arrives on either side, not even the end of a connection, and
what was under way arrives when the route is back, as TCP's retransmissions would bring it. Firewall rules would do the
same to real packets, but need root and a kernel that has them.
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

_CHUNK = 1 << 16
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Towards(enum.Enum):
    """The direction of bytes."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True)
class Passing:
    """Bytes that are about to be passed on."""

    connection: int
    towards: Towards
    data: bytes


class Fate(enum.Enum):
    """What becomes of them, and of their connection."""

    PASSES = "passes"
    CUT = "cut"


Watcher = Callable[[Passing], Awaitable[Fate]]


class Link:
    """A proxy of one server for one process; `port` is where the process connects."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._clear = asyncio.Event()
        self._clear.set()
        self._open: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self.watchers: list[Watcher] = []
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Link]:
        """Pass on connections for a block."""
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await self.cut()

    def silence(self) -> None:
        """Let nothing through from now on, and say nothing."""
        self._clear.clear()

    def restore(self) -> None:
        """Let everything through again."""
        self._clear.set()

    async def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        connections = list(self._open)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, writers = next(self._numbers), [writer]
        try:
            await self._clear.wait()
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
            writers.append(upstream_writer)
            ways = (
                asyncio.create_task(self._pass_on(number, Towards.SERVER, reader, upstream_writer)),
                asyncio.create_task(self._pass_on(number, Towards.CLIENT, upstream_reader, writer)),
            )
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # the server is not there: its client is told below, by a reset
        finally:
            for each in writers:
                _reset(each)

    async def _pass_on(
        self, number: int, towards: Towards, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(_CHUNK):
            await self._clear.wait()
            for watcher in list(self.watchers):
                if await watcher(Passing(number, towards, data)) is Fate.CUT:
                    return
            writer.write(data)
            await writer.drain()
        await self._clear.wait()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection at once: what is still buffered was not sent."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    writer.transport.abort()
