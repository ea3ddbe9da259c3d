"""A TCP server that leaves no connection open, which asyncio's own does when it closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_ACCEPTED = 0.01
"""Seconds until what waits is accepted: asyncio never closes a connection that it accepts while its server closes."""


@asynccontextmanager
async def serving(handle: Handler) -> AsyncIterator[int]:
    """Serve for a block, and yield the port. A connection is closed when its handler ends or fails."""
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (OSError, EOFError):
            return
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections[asyncio.create_task(serve(reader, writer))] = writer

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        await asyncio.sleep(_ACCEPTED)
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        for writer in connections.values():
            writer.transport.abort()
        await asyncio.sleep(0)  # asyncio closes the sockets in its next turn
