"""How the control API reads requests and reports mistakes.

A mistake gets a sentence and status 400. Bodies must be declared as JSON. Browsers send such requests to another origin
only after a CORS preflight, which is never allowed here, so no other web page can drive the sandbox.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.discord.engine import Engine
from sandbox.discord.rest.replies import reply
from sandbox.discord.rules.errors import ApiError, UsageError

Json = dict[str, Any]
Handler = Callable[[Engine, web.Request], Awaitable[web.StreamResponse]]


def guarded(engine: Engine, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Wrap `handler` so that mistakes become responses."""

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(engine, request)
        except ApiError as error:
            return reply(error.body(), status=error.status)
        except (UsageError, LookupError, ValueError) as error:
            return reply({"error": str(error)}, status=400)

    return serve


async def read_json(request: web.Request) -> Json:
    """Return the JSON object of a request.

    Raises:
        ValueError: it is not one, or is not declared as JSON.
    """
    if request.content_type != "application/json":
        raise ValueError("send JSON, with Content-Type: application/json")
    body = await request.json()
    if not isinstance(body, dict):
        raise ValueError("send a JSON object")
    return body


def take(body: Json, name: str, kind: type[Any] | tuple[type[Any], ...] = (str, int), default: Any = ...) -> Any:
    """Return a field of a body. Without a default it is required.

    Raises:
        ValueError: it is missing, or of another type.
    """
    value = body.get(name, default)
    if value is ...:
        raise ValueError(f"{name!r} is missing")
    if value is not default and not isinstance(value, kind):
        raise ValueError(f"{name!r} must be {kind}, not {value!r}")
    return value
