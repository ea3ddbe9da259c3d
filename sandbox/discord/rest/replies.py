"""Answers in exactly the form that Discord gives them.

The content type is `application/json` and nothing more: discord.py takes any other spelling for something that is not
JSON, and a 429 of that kind for a ban. aiohttp's own `json_response` appends a charset, which is why it is not used.
"""

from __future__ import annotations

from aiohttp import web

from sandbox.discord.world.payloads import encode

_JSON = "application/json"


def reply(payload: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return reply_json(encode(payload), status=status, headers=headers)


def reply_json(text: str, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """An answer of JSON that is already encoded."""
    return web.Response(body=text.encode(), status=status, headers={"Content-Type": _JSON, **(headers or {})})


def no_content() -> web.Response:
    """204."""
    return web.Response(status=204)


def edge_error(status: int) -> web.Response:
    """A bare error from the network in front of Discord: no JSON, no code."""
    return web.Response(text=f"error code: {status}", status=status)
