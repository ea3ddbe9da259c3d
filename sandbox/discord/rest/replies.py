"""Responses in exactly Discord's form.

The content type is `application/json` without a charset. discord.py takes any other spelling for something that is not
JSON, and such a 429 for a ban. aiohttp's `json_response` appends a charset, so it is not used.
"""

from __future__ import annotations

from aiohttp import web

from sandbox.discord.world.payloads import encode

_JSON = "application/json"


def reply(payload: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a JSON response."""
    return reply_json(encode(payload), status=status, headers=headers)


def reply_json(text: str, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a response of JSON that is already encoded."""
    return web.Response(body=text.encode(), status=status, headers={"Content-Type": _JSON, **(headers or {})})


def no_content() -> web.Response:
    """Return a 204."""
    return web.Response(status=204)


def edge_error(status: int) -> web.Response:
    """Return a bare error of the network in front of Discord, without JSON and code."""
    return web.Response(text=f"error code: {status}", status=status)
