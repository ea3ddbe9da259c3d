"""Server-sent events that keep the page up to date.

Messages and interactions are sent one by one. For everything else (presence, channels, faults) the page is asked to
reload, at most every `GATHER` seconds: a chaos run changes them thousands of times a second, and a page needs only the
last state. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from sandbox.discord import changes
from sandbox.discord.changes import Change
from sandbox.discord.control.views import interaction_view, message_view
from sandbox.discord.engine import Engine
from sandbox.discord.world.payloads import encode

GATHER = 0.15
KEEP_ALIVE = 15.0
BACKLOG = 2000


class Stream:
    """Sends events to every open page."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pages: set[asyncio.Queue[str | None]] = set()
        self._gathering: set[str] = set()
        self._unsubscribe = engine.feed.subscribe(self._on_change)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send events to one page until it is closed, falls too far behind, or the sandbox stops."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        queue: asyncio.Queue[str | None] = asyncio.Queue(BACKLOG)
        self._pages.add(queue)
        ending = asyncio.create_task(self._end(queue), name="sandbox-stream-end")
        try:
            await response.write(b"retry: 1000\n\n")
            while (event := await self._next(queue)) is not None:
                await response.write(event.encode())
        except ConnectionError:
            pass  # the page was closed
        finally:
            self._pages.discard(queue)
            ending.cancel()
        return response

    async def close(self, app: web.Application) -> None:
        """Stop following the sandbox."""
        self._unsubscribe()

    async def _next(self, queue: asyncio.Queue[str | None]) -> str | None:
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(queue.get(), KEEP_ALIVE)
        return ": keep-alive\n\n"

    async def _end(self, queue: asyncio.Queue[str | None]) -> None:
        await self._engine.closing.wait()
        self._send_one(queue, None)

    def _on_change(self, change: Change) -> None:
        if not self._pages:
            return
        match change:
            case changes.MessageCreated(message):
                self._send("message_create", message_view(self._engine, message))
            case changes.MessageEdited(message):
                self._send("message_update", message_view(self._engine, message))
            case changes.MessageDeleted(message):
                place = {"id": str(message.id), "channel_id": str(message.channel.id)}
                self._send("message_delete", encode(place))
            case changes.InteractionChanged(interaction):
                self._send("interaction", encode(interaction_view(interaction)))
            case changes.CommandsChanged():
                self._gather("commands")
            case changes.FaultsChanged():
                self._gather("faults")
            case _:
                self._gather("world")

    def _gather(self, name: str) -> None:
        if name not in self._gathering:
            self._gathering.add(name)
            asyncio.get_running_loop().call_later(GATHER, self._send_gathered, name)

    def _send_gathered(self, name: str) -> None:
        self._gathering.discard(name)
        self._send(name, "{}")

    def _send(self, name: str, data: str) -> None:
        event = f"event: {name}\ndata: {data}\n\n"
        for queue in self._pages:
            self._send_one(queue, event)

    def _send_one(self, queue: asyncio.Queue[str | None], event: str | None) -> None:
        """Queue an event. A page that is too far behind is disconnected and reloads everything when it reconnects."""
        if queue.full() or event is None:
            while not queue.empty():
                queue.get_nowait()
            event = None
        queue.put_nowait(event)
