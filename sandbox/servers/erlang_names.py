"""A name server for one Erlang node, which leads it to each peer through a proxy.

Erlang's own name server (epmd) tells every node the port on which another one listens, so nothing could stand between
them. Each node of a cluster therefore has a separate name server. It speaks epmd's protocol
(https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#epmd-protocol).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import count

from sandbox.servers.network import HOST

_REGISTER, _REGISTERED = b"x", b"v"
_LOOK_UP, _FOUND = b"z", b"w"
_LIST = b"n"
_VISIBLE_NODE = 77
_NEWEST_VERSION, _OLDEST_VERSION = 6, 5
_PORT_AND_NAME = struct.Struct(">H6xH")
"""Of a registration; the type and the versions of the node are between them."""


class NameServer:
    """The name server of one node."""

    def __init__(self, port: int, peers: Mapping[str, int]) -> None:
        """`peers` has the port that leads to each peer, by its name without its host."""
        self._port = port
        self._peers = peers
        self._registered: dict[str, int] = {}
        self._creations = count(1)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[NameServer]:
        """Serve for a block."""
        server = await asyncio.start_server(self._serve, HOST, self._port)
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                [length] = struct.unpack(">H", await reader.readexactly(2))
                request = await reader.readexactly(length)
                await self._answer(request[:1], request[1:], reader, writer)
        finally:
            writer.close()

    async def _answer(
        self, kind: bytes, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if kind == _REGISTER:
            await self._register(body, reader, writer)
        elif kind == _LOOK_UP:
            writer.write(self._find(body.decode()))
        elif kind == _LIST:
            names = "".join(f"name {name} at port {port}\n" for name, port in self._registered.items())
            writer.write(struct.pack(">I", self._port) + names.encode())
        await writer.drain()

    async def _register(self, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Register a node for as long as its connection stays open."""
        port, length = _PORT_AND_NAME.unpack_from(body)
        name = body[_PORT_AND_NAME.size : _PORT_AND_NAME.size + length].decode()
        self._registered[name] = port
        try:
            writer.write(_REGISTERED + struct.pack(">BI", 0, next(self._creations)))
            await writer.drain()
            await reader.read()
        finally:
            del self._registered[name]

    def _find(self, name: str) -> bytes:
        port = self._peers.get(name) or self._registered.get(name)
        if port is None:
            return _FOUND + b"\x01"
        found = struct.pack(">BHBBHH", 0, port, _VISIBLE_NODE, 0, _NEWEST_VERSION, _OLDEST_VERSION)
        return _FOUND + found + struct.pack(">H", len(name)) + name.encode() + struct.pack(">H", 0)
