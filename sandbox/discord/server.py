"""The sandbox Discord: REST API, gateway, page and control API on one port, with one object to drive it.

Unmodified clients talk to it over HTTP and WebSocket, from this process or another. Replacing methods inside discord.py
was rejected, because it skips the code that decides whether a reminder arrives exactly once: retries, rate limits and
broken connections.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from aiohttp import web

from sandbox.discord import control, page, rest
from sandbox.discord.clock import Clock
from sandbox.discord.engine import NONCE_WINDOW, build_engine
from sandbox.discord.faults.registry import Faults
from sandbox.discord.gateway.connection import Socket
from sandbox.discord.gateway.events import Intent
from sandbox.discord.gateway.gateway import Gateway
from sandbox.discord.interactions.interaction import InteractionResult
from sandbox.discord.rate_limits import Limits
from sandbox.discord.world.evidence import Accepted
from sandbox.discord.world.messages import Message
from sandbox.discord.world.world import ChannelRef, UserRef, World
from shared.listening import listen, local_name

T = TypeVar("T")

MAX_REQUEST = 26 * 1024 * 1024
SHUTDOWN_WITHIN = 1.0


class SandboxDiscord:
    """The sandbox Discord, served while the context is open.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one.
        nonce_window: seconds for which `enforce_nonce` remembers.
        token: the bot's token; None generates one.
        public_url: the address for clients, if it differs from where it listens (behind a Service or a proxy).
        limits: the rate limits; None means Discord's. Use `Limits.off()` for benchmarks.
        privileged_intents: those that the bot may use; by default none, as for a new application.
        clock: the clock to use.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        nonce_window: float = NONCE_WINDOW,
        token: str | None = None,
        public_url: str | None = None,
        limits: Limits | None = None,
        privileged_intents: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.token = token or f"sandbox.{secrets.token_urlsafe(24)}"
        self._host, self._port, self._public_url = host, port, public_url
        self._runner: web.AppRunner | None = None
        self.engine = build_engine(token=self.token, clock=clock, limits=limits, nonce_window=nonce_window)
        self.engine.gateway.privileged_intents = Intent(privileged_intents)

    async def __aenter__(self) -> SandboxDiscord:
        """Start serving. After a restart, the port and the world are the same as before."""
        self.engine.closing.clear()
        app = web.Application(client_max_size=MAX_REQUEST)
        rest.add_routes(app, self.engine)
        control.add_routes(app, self.engine)
        page.add_routes(app)
        app.router.add_get("/gateway", self._serve_gateway)
        app.router.add_get("/gateway/", self._serve_gateway)
        app.on_shutdown.append(self._close_connections)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_WITHIN)
        await self._runner.setup()
        await listen(self._runner, self._host, self._port)
        self._port = self._runner.addresses[0][1]
        self.engine.url = (self._public_url or f"http://{local_name(self._host)}:{self._port}").rstrip("/")
        self.engine.gateway.url = self.engine.url.replace("http", "ws", 1) + "/gateway"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop serving. Clients that still wait for a response are disconnected."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        """The page; `/api/v10` below it is the REST API."""
        return self.engine.url

    @property
    def gateway_url(self) -> str:
        """The gateway's WebSocket."""
        return self.engine.gateway.url

    @property
    def world(self) -> World:
        """The guilds, channels and users, to read and to change."""
        return self.engine.world

    @property
    def faults(self) -> Faults:
        """The active and past faults."""
        return self.engine.faults

    @property
    def gateway(self) -> Gateway:
        """The connected bots."""
        return self.engine.gateway

    @property
    def limits(self) -> Limits:
        """The rate limits. Its fields can be set at any time."""
        return self.engine.limiter.limits

    @property
    def refused(self) -> Counter[str]:
        """How many requests exceeded each rate limit."""
        return self.engine.limiter.refused

    @property
    def evidence(self) -> list[Accepted]:
        """Everything that was ever accepted, oldest first. Do not change it."""
        return self.engine.evidence.records

    @property
    def unimplemented(self) -> list[str]:
        """Requests that the sandbox could not serve: to unknown routes, or because it crashed."""
        return self.engine.unimplemented

    def messages(self, where: ChannelRef) -> list[Message]:
        """Return a channel's messages, oldest first, without ephemeral ones."""
        return self.world.messages(self.world.channel(where).id)

    def dms(self, who: UserRef) -> list[Message]:
        """Return the direct messages between the bot and a user, oldest first."""
        channel = self.world.dm(who)
        return [] if channel is None else self.world.messages(channel.id)

    def say(self, who: UserRef, text: str, *, where: ChannelRef | None = None) -> Message:
        """Write a message as a user."""
        channel = self.world.channel(self._channel_or_first(where))
        return self.engine.messaging.say(channel, self.world.user(who), text)

    async def slash(
        self, user: UserRef, command: str, /, *, in_channel: ChannelRef | None = None, **options: Any
    ) -> InteractionResult:
        """Run a command as a user (`slash("Mia", "game create", title=…)`) and wait up to 3 s for the bot's answer.

        Raises:
            UsageError: Discord's client would not let the user send this.
        """
        return await self.engine.invoker.slash(user, self._channel_or_first(in_channel), command, options)

    async def autocomplete(
        self, user: UserRef, command: str, focused: str, /, *, in_channel: ChannelRef | None = None, **options: Any
    ) -> InteractionResult:
        """Type into the option `focused` as a user. Its text so far is among `options`."""
        channel = self._channel_or_first(in_channel)
        return await self.engine.invoker.autocomplete(user, channel, command, focused, options)

    async def click(
        self, user: UserRef, message_id: int, custom_id: str, *, values: list[str] | None = None
    ) -> InteractionResult:
        """Press a button as a user, or pick `values` in a select, and wait up to 3 s for the bot's answer."""
        return await self.engine.invoker.click(user, message_id, custom_id, values)

    async def submit_modal(
        self, user: UserRef, opened: InteractionResult | int, values: dict[str, Any]
    ) -> InteractionResult:
        """Submit the modal that an interaction opened, as a user, with `values` by custom id."""
        interaction_id = opened if isinstance(opened, int) else opened.id
        return await self.engine.invoker.submit_modal(user, interaction_id, values)

    async def wait_for(self, predicate: Callable[[], T], *, timeout: float) -> T:
        """Wait until `predicate()` is true and return its value. It is checked after each change.

        Raises:
            TimeoutError: it was not true within `timeout` seconds.
        """
        return await self.engine.feed.wait_for(predicate, timeout=timeout)

    def _channel_or_first(self, where: ChannelRef | None) -> ChannelRef:
        return next(iter(self.world.channels.values())) if where is None else where

    async def _serve_gateway(self, request: web.Request) -> web.StreamResponse:
        if self.engine.faults.armed and self.gateway.refuses:
            return web.Response(status=503)
        return await Socket(self.gateway, request).serve()

    async def _close_connections(self, app: web.Application) -> None:
        """Close connections that would keep the server from stopping."""
        self.engine.closing.set()
        self.engine.feed.wake()
        for connection in list(self.gateway.connections):
            connection.close_soon(1001)
        await asyncio.sleep(0)
