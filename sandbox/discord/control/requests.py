"""How the control API reads requests and tells mistakes.

A scenario's mistake gets a sentence and status 400. Bodies must be declared as JSON: a page of another origin cannot
send that without asking first, and nothing here answers such a question, so no web page that someone visits while the
sandbox runs can drive it.
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
    """`handler`, with mistakes turned into answers."""

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(engine, request)
        except ApiError as error:
            return reply(error.body(), status=error.status)
        except (UsageError, LookupError, ValueError) as error:
            return reply({"error": str(error)}, status=400)

    return serve


async def read_json(request: web.Request) -> Json:
    """The JSON object of a request.

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
    """A field of a body; without a default it must be there.

    Raises:
        ValueError: it is missing, or of another type.
    """
    value = body.get(name, default)
    if value is ...:
        raise ValueError(f"{name!r} is missing")
    if value is not default and not isinstance(value, kind):
        raise ValueError(f"{name!r} must be {kind}, not {value!r}")
    return value
