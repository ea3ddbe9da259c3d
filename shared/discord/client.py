"""A small client for Discord's REST API. Each call is one HTTP request with a time-out.

discord.py's client was rejected. It retries past the lease that makes sending safe, and hides which requests may have
been accepted.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from shared import metrics
from shared.discord.errors import ConnectFailedError, UncertainResultError, error_for
from shared.errors import describe
from shared.settings import DiscordSettings, Timing

PAGE_SIZE = 100
"""The most messages on a page (https://discord.com/developers/docs/resources/message#get-channel-messages)."""
_USER_AGENT = "DiscordBot (https://github.com/questbell/questbell, 0.1)"
_CONNECT_FAILED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


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

    @classmethod
    @asynccontextmanager
    async def connected(cls, settings: DiscordSettings, timing: Timing) -> AsyncIterator[DiscordClient]:
        """Keep connections open for a block."""
        headers = {"Authorization": f"Bot {settings.token.get_secret_value()}", "User-Agent": _USER_AGENT}
        timeout = aiohttp.ClientTimeout(total=timing.request_timeout)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            yield cls(session, f"{settings.api_url}/api/v10")

    async def create_message(self, channel_id: int, payload: dict[str, Any], *, nonce: str) -> int:
        """Send a message and return its id. The nonce makes it repeatable within minutes."""
        body = {**payload, "nonce": nonce, "enforce_nonce": True}
        return _id(await self._request("POST", f"/channels/{channel_id}/messages", body, call="create_message"))

    async def edit_message(self, channel_id: int, message_id: int, payload: dict[str, Any]) -> None:
        """Replace a message's content. Safe to repeat."""
        await self._request("PATCH", f"/channels/{channel_id}/messages/{message_id}", payload, call="edit_message")

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

    async def get_channel(self, channel_id: int) -> dict[str, Any]:
        """Return a channel."""
        return _object(await self._request("GET", f"/channels/{channel_id}", call="channel"))

    async def get_own_user(self) -> dict[str, Any]:
        """Return the bot's own user, which needs a valid token."""
        return _object(await self._request("GET", "/users/@me", call="own_user"))

    async def ping(self) -> None:
        """Wait for any answer."""
        await self._request("GET", "/gateway", call="ping")

    async def _request(self, method: str, path: str, body: dict[str, Any] | None = None, *, call: str) -> Any:
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
        if response.ok:
            return answer
        answer = answer if isinstance(answer, dict) else {}
        raise error_for(
            status,
            code=int(answer.get("code") or 0),
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


def _seconds(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except ValueError:  # a Retry-After may also be a date
        return None
