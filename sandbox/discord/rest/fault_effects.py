"""The effects of faults on the wire.

Faults with `accepted` first process the request and then withhold the response, so that the client cannot know the
result. A dropped connection is reset (RST) and not closed, as when a load balancer dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from sandbox.discord.engine import Engine
from sandbox.discord.faults.model import Action, Drop, Hang, Refuse, Slow, Status, TooMany
from sandbox.discord.rate_limits import limited_body, limited_headers
from sandbox.discord.rest.replies import edge_error, reply
from sandbox.discord.rules.errors import KNOWN, ApiError, api_error

Proceed = Callable[[web.Request], Awaitable[web.StreamResponse]]
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time to linger: the kernel sends RST


async def apply_fault(engine: Engine, action: Action, request: web.Request, proceed: Proceed) -> web.StreamResponse:
    """Respond to a request that a fault matches."""
    await request.read()  # all of it has arrived, so it can be carried out also when the client is gone by then
    if isinstance(action, (Status, Drop, Hang)) and action.accepted:
        await proceed(request)
    match action:
        case Status(status):
            return edge_error(status)
        case Drop():
            return _reset(request)
        case Hang(seconds):
            await _pause(engine, seconds)
            return _reset(request)
        case Slow(seconds):
            await _pause(engine, seconds)
            return await proceed(request)
        case TooMany(retry_after, scope, via):
            headers = limited_headers(retry_after, scope=scope, via=via)
            return reply(limited_body(retry_after, scope=scope), status=429, headers=headers)
        case Refuse(code):
            return _refuse(code)
        case _:
            return await proceed(request)


def _refuse(code: int) -> web.Response:
    error = api_error(code) if code in KNOWN else ApiError(400, code, f"Error {code}")
    if error.status != 429:
        return reply(error.body(), status=error.status)
    headers = limited_headers(1.0, scope="user")
    return reply(limited_body(1.0, scope="user", code=code), status=429, headers=headers)


async def _pause(engine: Engine, seconds: float) -> None:
    """Wait, but stop when the sandbox stops."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(engine.closing.wait(), seconds)


def _reset(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        transport.abort()
    return web.Response(status=500)
