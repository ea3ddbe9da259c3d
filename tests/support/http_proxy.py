"""A small HTTP proxy that tunnels CONNECT and forwards plain requests, and records what it was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

END = b"\r\n\r\n"


class HttpProxy:
    """The proxy. `requests` are the heads that it received."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[HttpProxy]:
        """Serve for a block."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = None
        try:
            head = await reader.readuntil(END)
            self.requests.append(head.decode())
            method, target, _ = head.decode().split(" ", 2)
            url = urlsplit(f"//{target}" if method == "CONNECT" else target)
            answers, upstream = await asyncio.open_connection(url.hostname, url.port)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.write(head)
            await asyncio.gather(self._copy_requests(reader, upstream), _copy(answers, writer))
        except (OSError, asyncio.IncompleteReadError):
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            with suppress(OSError):
                await writer.drain()
        finally:
            for open_writer in filter(None, (writer, upstream)):
                open_writer.transport.abort()

    async def _copy_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy the further requests of a connection, and record those that can be read."""
        while data := await reader.read(1 << 16):
            if b" HTTP/1.1\r\n" in data:
                self.requests.append(data.decode(errors="replace"))
            writer.write(data)
            await writer.drain()
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
