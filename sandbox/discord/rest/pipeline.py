"""The steps of every API request: bans, faults, authorization, rate limits, and errors as JSON.

A route declares which of these apply to it. One coroutine runs the steps instead of aiohttp middlewares: they apply to
API routes only, depend on the route, and are the hot path of a benchmark.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from sandbox.discord.engine import Engine
from sandbox.discord.rate_limits import OLD_MESSAGE, limited_body, limited_headers
from sandbox.discord.rest.bodies import read_body
from sandbox.discord.rest.fault_effects import apply_fault
from sandbox.discord.rest.replies import edge_error, reply
from sandbox.discord.rules.errors import ApiError, api_error, unauthorized
from sandbox.discord.world.messages import Message

API = "/api/v10"
OPEN_DM = "/users/@me/channels"
Handler = Callable[[Engine, web.Request], Awaitable[web.StreamResponse]]
_MAJOR = ("channel_id", "guild_id", "token")


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `bucket` names its rate limit. `tokened` routes have a token in the path instead of a header."""

    method: str
    path: str
    handler: Handler
    bucket: str | None = None
    tokened: bool = False
    public: bool = False


class Endpoint:
    """Serves one route."""

    def __init__(self, engine: Engine, route: Route) -> None:
        self._engine = engine
        self._route = route

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve a request, with the first fault that matches it."""
        engine = self._engine
        if engine.limiter.banned():
            return edge_error(429)
        response: web.StreamResponse
        fault = None
        if engine.faults.armed:
            channel, user = await self._find_subject(request)
            path = request.path.removeprefix(API)
            fault = engine.faults.find_for_request(request.method, path, channel=channel, user=user)
        if fault is None:
            response = await self._proceed(request)
        else:
            response = await apply_fault(engine, fault.action, request, self._proceed)
        if response.status >= 400:
            engine.limiter.count_invalid(response.status, response.headers.get("X-RateLimit-Scope"))
        return response

    async def _proceed(self, request: web.Request) -> web.StreamResponse:
        route, engine = self._route, self._engine
        headers: dict[str, str] = {}
        try:
            if not (route.tokened or route.public):
                if request.headers.get("Authorization") != f"Bot {engine.gateway.token}":
                    raise unauthorized()
                wait = engine.limiter.take_global()
                if wait is not None:
                    return limited(wait, scope="global")
            if route.bucket is not None:
                key = next((request.match_info[name] for name in _MAJOR if name in request.match_info), "")
                verdict = engine.limiter.take(route.bucket, key)
                if verdict is not None:
                    headers = verdict.headers
                    if not verdict.passed:
                        return limited(verdict.retry_after, scope="user", headers=headers)
            response = await route.handler(engine, request)
        except ApiError as error:
            if error.status == 429:
                return limited(1.0, scope="user", code=error.code, headers=headers)
            response = reply(error.body(), status=error.status)
        except Exception as error:  # a bug of the sandbox: written down where tests look, and raised on
            engine.unimplemented.append(f"{request.method} {request.path}: {error!r}")
            raise
        if headers:
            response.headers.update(headers)
        return response

    async def _find_subject(self, request: web.Request) -> tuple[int | None, int | None]:
        """Return the channel and the user that a request is about, for faults that match only some."""
        engine, info = self._engine, request.match_info
        if "token" in info:
            interaction = engine.interactions.peek(info["token"])
            return (None, None) if interaction is None else (interaction.channel.id, interaction.user.id)
        if "channel_id" in info:
            channel = engine.world.channels.get(int(info["channel_id"]))
            recipient = None if channel is None else channel.recipient
            return int(info["channel_id"]), None if recipient is None else recipient.id
        if self._route.path == OPEN_DM:
            with contextlib.suppress(ApiError, ValueError):  # an unreadable body concerns nobody
                body, _ = await read_body(engine, request)
                return None, int(body.get("recipient_id") or 0)
        return None, None


def limited(
    retry_after: float, *, scope: str, code: int | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    """Return a 429 with everything that clients read from it."""
    sent = {**(headers or {}), **limited_headers(retry_after, scope=scope)}
    return reply(limited_body(retry_after, scope=scope, code=code), status=429, headers=sent)


def check_old_edit(engine: Engine, message: Message) -> None:
    """Count an edit of a message older than an hour, or raise 30046 if there were too many in its channel.

    Source: https://github.com/discord/discord-api-docs/issues/4413
    """
    if engine.clock.wall() - message.created < OLD_MESSAGE:
        return
    verdict = engine.limiter.take("old_edits", str(message.channel.id))
    if verdict is not None and not verdict.passed:
        raise api_error(30046)
