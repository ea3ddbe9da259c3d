"""What every request to the API passes: bans, faults, authorization, rate limits, and errors as JSON.

A route states which of these apply to it. The chain is one coroutine rather than aiohttp middlewares: it must run for
API routes only, needs to know the route, and is the hot path of a benchmark.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from sandbox.discord.engine import Engine
from sandbox.discord.rate_limits import OLD_MESSAGE, limited_body, limited_headers
from sandbox.discord.rest.bodies import read_body
from sandbox.discord.rest.replies import edge_error, reply
from sandbox.discord.rest.strikes import strike
from sandbox.discord.rules.errors import ApiError, refusal, unauthorized
from sandbox.discord.world.messages import Message

API = "/api/v10"
OPEN_DM = "/users/@me/channels"
Handler = Callable[[Engine, web.Request], Awaitable[web.StreamResponse]]
_MAJOR = ("channel_id", "guild_id", "token")


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `bucket` names its rate limit; `tokened` routes carry a token in the path instead of a header."""

    method: str
    path: str
    handler: Handler
    bucket: str | None = None
    tokened: bool = False
    public: bool = False


class Endpoint:
    """A route, served."""

    def __init__(self, engine: Engine, route: Route) -> None:
        self._engine = engine
        self._route = route
        self._authorization = f"Bot {engine.token}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve a request, struck by a fault if one fits."""
        engine = self._engine
        if engine.limiter.banned():
            return edge_error(429)
        response: web.StreamResponse
        fault = None
        if engine.faults.armed:
            channel, user = await self._concerns(request)
            path = request.path.removeprefix(API)
            fault = engine.faults.for_request(request.method, path, channel=channel, user=user)
        if fault is None:
            response = await self._proceed(request)
        else:
            response = await strike(engine, fault.action, request, self._proceed)
        if response.status >= 400:
            engine.limiter.count_invalid(response.status, response.headers.get("X-RateLimit-Scope"))
        return response

    async def _proceed(self, request: web.Request) -> web.StreamResponse:
        route, engine = self._route, self._engine
        headers: dict[str, str] = {}
        try:
            if not (route.tokened or route.public):
                if request.headers.get("Authorization") != self._authorization:
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

    async def _concerns(self, request: web.Request) -> tuple[int | None, int | None]:
        """The channel and the person that a request is about, for faults that strike only some."""
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
    """A 429 with everything that a client reads from it."""
    sent = {**(headers or {}), **limited_headers(retry_after, scope=scope)}
    return reply(limited_body(retry_after, scope=scope, code=code), status=429, headers=sent)


def check_old_edit(engine: Engine, message: Message) -> None:
    """Count an edit of a message older than an hour; 30046 when there were too many in its channel.

    Source: https://github.com/discord/discord-api-docs/issues/4413
    """
    if engine.clock.wall() - message.created < OLD_MESSAGE:
        return
    verdict = engine.limiter.take("old_edits", str(message.channel.id))
    if verdict is not None and not verdict.passed:
        raise refusal(30046)
