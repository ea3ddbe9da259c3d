"""A proxy in front of the API server that counts requests and fails on command.

It speaks plain HTTP to its clients and logs in upstream itself, so that it can count requests.
"""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from kubernetes.aio.client import ApiClient


class Mode(enum.Enum):
    """How the proxy behaves to new requests."""

    PASSES = "passes"
    CUT = "cut"
    """Connections are dropped, as when the network fails."""
    UNAVAILABLE = "unavailable"
    """Every request is answered with 503, as by a load balancer without servers."""


class Proxy:
    """A proxy of one API server, with the credentials of a client of it."""

    def __init__(self, client: ApiClient) -> None:
        self.mode = Mode.PASSES
        self.requests: Counter[str] = Counter()
        self._open: set[asyncio.Transport] = set()
        self._client = client
        self.url = ""
        self._upstream: aiohttp.ClientSession | None = None

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig of this proxy; return its path."""
        path = folder / "kubeconfig-of-the-proxy"
        path.write_text(
            yaml.safe_dump(
                {
                    "current-context": "proxy",
                    "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
                    "clusters": [{"name": "proxy", "cluster": {"server": self.url}}],
                    "users": [{"name": "proxy", "user": {"token": "not-looked-at"}}],
                }
            )
        )
        return path

    def fail(self, mode: Mode) -> None:
        """Fail from now on, and abort open requests."""
        self.mode = mode
        for transport in list(self._open):
            transport.abort()

    def count(self, method: str) -> int:
        """Return the number of requests with a method."""
        return sum(number for what, number in self.requests.items() if what.startswith(f"{method} "))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Proxy]:
        """Serve for a block."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            authorization = {"Authorization": self._client.configuration.api_key["BearerToken"]}
            async with aiohttp.ClientSession(headers=authorization) as self._upstream:
                yield self
        finally:
            self.fail(Mode.CUT)
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests[f"{request.method} {request.path}"] += 1
        transport = request.transport
        if self.mode is Mode.UNAVAILABLE or transport is None:
            return web.Response(status=503, text="no server is available")
        if self.mode is Mode.CUT:
            transport.abort()
            return web.Response()
        self._open.add(transport)
        try:
            return await self._pass_on(request)
        finally:
            self._open.discard(transport)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        assert self._upstream is not None
        headers = {name: request.headers[name] for name in ("Content-Type", "Accept") if name in request.headers}
        url, sent = self._client.configuration.host + str(request.rel_url), await request.read() or None
        ssl = self._client.rest_client.ssl_context
        async with self._upstream.request(request.method, url, data=sent, headers=headers, ssl=ssl) as answer:
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response
