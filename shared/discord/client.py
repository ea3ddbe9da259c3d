"""A small client for Discord's REST API. Each call is one HTTP request with a time-out.

discord.py's client was rejected. It retries past the lease that makes sending safe, and hides which requests may have
been accepted.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Self

import aiohttp

from shared import metrics
from shared.discord.errors import ConnectFailedError, UncertainResultError, error_for, limit_pause
from shared.discord.permissions import READ_MESSAGE_HISTORY, VIEW_CHANNEL, compute_permissions
from shared.discord.proxy import find_proxy
from shared.errors import describe
from shared.settings import DiscordSettings, Timing

PAGE_SIZE = 100
"""The most messages on a page (https://discord.com/developers/docs/resources/message#get-channel-messages)."""
PERMISSION_REQUESTS = 5
"""The most requests for the bot's permissions in a channel."""
_USER_AGENT = "DiscordBot (https://github.com/questbell/questbell, 0.1)"
_READ = VIEW_CHANNEL | READ_MESSAGE_HISTORY
_CONNECT_FAILED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)


@dataclass(frozen=True)
class GatewayAdvice:
    """How many shards a bot should have, and how many of them may identify at once.

    Source: https://docs.discord.com/developers/events/gateway#get-gateway-bot
    """

    shards: int
    max_concurrency: int


@dataclass(frozen=True)
class ChannelLimit:
    """How many more requests of one kind Discord accepts in a channel, by the headers of an answer.

    Source: https://docs.discord.com/developers/topics/rate-limits#header-format
    """

    remaining: int
    reset_after: float
    """Seconds until it accepts as many as at first."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self | None:
        """Return the limit that an answer's headers name, None if they name none or make no sense."""
        try:
            remaining = int(headers["X-RateLimit-Remaining"])
            reset_after = limit_pause(float(headers["X-RateLimit-Reset-After"]))
        except (KeyError, ValueError):
            return None
        return None if reset_after is None else cls(remaining, reset_after)


OnLimit = Callable[[str, int, ChannelLimit], None]
"""Called with the call, the channel and the limit."""


class DiscordClient:
    """The calls that Questbell needs, authorized as the bot.

    Every call raises:
        RequestRejectedError: Discord rejected it for good.
        TemporarilyUnavailableError: Discord did not accept it now; nothing was created.
        UncertainResultError: it may have been carried out.
    """

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url
        self._user_id: int | None = None
        self.on_limit: OnLimit | None = None
        """Called after each message that is created or edited."""

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, settings: DiscordSettings, timing: Timing, *, trace: aiohttp.TraceConfig | None = None
    ) -> AsyncIterator[DiscordClient]:
        """Keep connections open for a block."""
        headers = {"Authorization": f"Bot {settings.token.get_secret_value()}", "User-Agent": _USER_AGENT}
        limit = timing.request_timeout
        # The total is not enforced if it passes while a request is paced, but the limits of its parts are.
        timeout = aiohttp.ClientTimeout(
            total=limit,
            connect=limit,
            sock_connect=limit,
            sock_read=limit,
            ceil_threshold=math.inf,  # never rounded up
        )
        traces = None if trace is None else [trace]
        async with aiohttp.ClientSession(
            headers=headers, timeout=timeout, proxy=find_proxy(settings), trace_configs=traces
        ) as session:
            yield cls(session, f"{settings.api_url}/api/v10")

    async def create_message(self, channel_id: int, payload: dict[str, Any], *, nonce: str) -> int:
        """Send a message and return its id. The nonce makes it repeatable within minutes."""
        body = {**payload, "nonce": nonce, "enforce_nonce": True}
        path = f"/channels/{channel_id}/messages"
        return _id(await self._request("POST", path, body, call="create_message", channel_id=channel_id))

    async def edit_message(self, channel_id: int, message_id: int, payload: dict[str, Any]) -> None:
        """Replace a message's content. Safe to repeat."""
        path = f"/channels/{channel_id}/messages/{message_id}"
        await self._request("PATCH", path, payload, call="edit_message", channel_id=channel_id)

    async def list_messages(self, channel_id: int, *, before: int | None = None) -> list[dict[str, Any]]:
        """Return a page of messages, newest first, or an empty one without permission to read the history."""
        older = f"&before={before}" if before is not None else ""
        path = f"/channels/{channel_id}/messages?limit={PAGE_SIZE}{older}"
        page = await self._request("GET", path, call="messages")
        if not isinstance(page, list):
            raise UncertainResultError("Discord's answer is not a list of messages")
        return page

    async def open_dm(self, user_id: int) -> int:
        """Return a user's DM channel. Safe to repeat."""
        return _id(await self._request("POST", "/users/@me/channels", {"recipient_id": str(user_id)}, call="open_dm"))

    async def unarchive_thread(self, thread_id: int) -> None:
        """Open an archived thread again. Safe to repeat."""
        await self._request("PATCH", f"/channels/{thread_id}", {"archived": False}, call="unarchive")

    async def get_channel(self, channel_id: int) -> dict[str, Any]:
        """Return a channel."""
        return _object(await self._request("GET", f"/channels/{channel_id}", call="channel"))

    async def may_read_history(self, channel_id: int) -> bool:
        """Return whether the bot may read a channel's messages, so that an empty page means that there are none.

        It takes up to `PERMISSION_REQUESTS`. Nothing but the bot's own id is cached, because an old answer proves
        nothing.
        """
        channel = await self.get_channel(channel_id)
        if channel.get("guild_id") is None:
            return True  # a direct message needs no permission
        if channel.get("thread_metadata") is not None:  # a thread has the permissions of its channel
            channel = await self.get_channel(int(channel["parent_id"]))
        if self._user_id is None:
            self._user_id = _id(await self.get_own_user())
        guild_id, user_id = channel["guild_id"], self._user_id
        guild = _object(await self._request("GET", f"/guilds/{guild_id}", call="guild"))
        member = await self._request("GET", f"/guilds/{guild_id}/members/{user_id}", call="member")
        try:
            permissions = compute_permissions(guild, member, user_id, channel["permission_overwrites"])
        except (KeyError, TypeError, ValueError) as error:
            raise UncertainResultError("Discord's answer has no permissions") from error
        return permissions & _READ == _READ

    async def get_own_user(self) -> dict[str, Any]:
        """Return the bot's own user, which needs a valid token."""
        return _object(await self._request("GET", "/users/@me", call="own_user"))

    async def get_gateway_advice(self) -> GatewayAdvice:
        """Return what Discord says about connections to its gateway."""
        answer = await self._request("GET", "/gateway/bot", call="gateway")
        try:
            advice = GatewayAdvice(int(answer["shards"]), int(answer["session_start_limit"]["max_concurrency"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UncertainResultError("Discord's answer has no number of shards") from error
        if min(advice.shards, advice.max_concurrency) < 1:
            raise UncertainResultError("Discord's answer has no number of shards")
        return advice

    async def ping(self) -> None:
        """Wait for any answer."""
        await self._request("GET", "/gateway", call="ping")

    async def _request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, call: str, channel_id: int | None = None
    ) -> Any:
        started = time.monotonic()
        try:
            async with self._session.request(method, self._base_url + path, json=body) as response:
                status, answer = response.status, await _json(response)
        except _CONNECT_FAILED as error:
            metrics.DISCORD_REQUESTS.labels(call, metrics.UNREACHABLE).inc()
            raise ConnectFailedError(f"Discord cannot be reached: {describe(error)}") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            metrics.DISCORD_REQUESTS.labels(call, metrics.NO_ANSWER).inc()
            raise UncertainResultError(f"no answer from Discord: {describe(error)}") from error
        finally:
            metrics.DISCORD_REQUEST_DURATION.labels(call).observe(time.monotonic() - started)
        metrics.DISCORD_REQUESTS.labels(call, str(status)).inc()
        if channel_id is not None and self.on_limit and (limit := ChannelLimit.of(response.headers)):
            self.on_limit(call, channel_id, limit)
        if response.ok:
            return answer
        answer = answer if isinstance(answer, dict) else {}
        raise error_for(
            status,
            code=_code(answer.get("code")),
            text=str(answer.get("message", "")),
            retry_after=_seconds(answer.get("retry_after", response.headers.get("Retry-After"))),
            # a 429 that is not Discord's JSON comes from its network and applies to the whole bot
            is_global=answer.get("global") is True or "retry_after" not in answer,
        )


def _object(answer: Any) -> dict[str, Any]:
    _id(answer)
    found: dict[str, Any] = answer
    return found


def _id(answer: Any) -> int:
    try:
        return int(answer["id"])
    except (KeyError, TypeError, ValueError) as error:
        raise UncertainResultError("Discord answered without an id") from error


async def _json(response: aiohttp.ClientResponse) -> Any:
    try:
        return await response.json(content_type=None)
    except ValueError:
        return {"message": "not JSON"}


def _code(value: object) -> int:
    return value if isinstance(value, int) else 0


def _seconds(value: object) -> float | None:
    """Return a Retry-After in seconds, None if it is not one. It may also be a date."""
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except OverflowError:
        return math.inf
    except ValueError:
        return _seconds_until(str(value))


def _seconds_until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
