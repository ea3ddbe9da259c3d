"""The few calls of Discord that deliver, each one HTTP try with a typed result.

discord.py's own client was rejected here: it sleeps and tries again inside a call, past the lease that makes
sending safe, and hides which tries may have been accepted. Who tries again, and when, is the row's business.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aiohttp

from bot.delivery.nonce import nonce
from bot.delivery.refusals import Ambiguous, Unreachable, refusal
from shared import metrics
from shared.settings import DiscordSettings, Timing

_CONNECTION_REFUSED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class DiscordApi:
    """Discord's REST API, as far as delivery needs it."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    @classmethod
    @asynccontextmanager
    async def connected(cls, settings: DiscordSettings, timing: Timing) -> AsyncIterator[DiscordApi]:
        """Hold the connections to Discord for a block."""
        headers = {
            "Authorization": f"Bot {settings.token.get_secret_value()}",
            "User-Agent": "DiscordBot (https://github.com/questbell/questbell, 0.1)",
        }
        timeout = aiohttp.ClientTimeout(total=timing.request_timeout)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            yield cls(session, f"{settings.api_url}/api/v10")

    async def create_message(self, channel_id: int, payload: dict[str, Any], *, delivery_id: UUID) -> int:
        """Send a message and return its id; the nonce makes a second try within minutes harmless.

        Raises:
            Refused: Discord will not take it.
            Postponed: not now; nothing was sent.
            Ambiguous: it may have been sent.
        """
        body = {**payload, "nonce": nonce(delivery_id), "enforce_nonce": True}
        answer = await self._request("POST", f"/channels/{channel_id}/messages", body, call="create_message")
        return _id(answer)

    async def edit_message(self, channel_id: int, message_id: int, payload: dict[str, Any]) -> None:
        """Replace what a message shows. Repeating it changes nothing. Raises as `create_message`."""
        await self._request("PATCH", f"/channels/{channel_id}/messages/{message_id}", payload, call="edit_message")

    async def messages(self, channel_id: int, *, before: int | None = None) -> list[dict[str, Any]]:
        """Return up to 100 messages of a channel, newest first. Raises as `create_message`.

        Without the permission to read its history Discord answers with none at all.
        """
        older = f"&before={before}" if before is not None else ""
        path = f"/channels/{channel_id}/messages?limit=100{older}"
        found: list[dict[str, Any]] = await self._ask("GET", path, None, call="messages")
        return found

    async def open_dm(self, user_id: int) -> int:
        """Return the channel of direct messages with a user. Repeating it changes nothing. Raises as `create_message`,
        and nothing is told by it."""
        answer = await self._request("POST", "/users/@me/channels", {"recipient_id": str(user_id)}, call="open_dm")
        return _id(answer)

    async def ping(self) -> None:
        """Return when Discord answers at all. Raises as `create_message`."""
        await self._ask("GET", "/gateway", None, call="ping")

    async def _request(self, method: str, path: str, body: dict[str, Any], *, call: str) -> dict[str, Any]:
        answer: dict[str, Any] = await self._ask(method, path, body, call=call)
        return answer

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None, *, call: str) -> Any:
        began = time.monotonic()
        try:
            async with self._session.request(method, self._base + path, json=body) as response:
                status, answer = response.status, await _json(response)
        except _CONNECTION_REFUSED as error:
            metrics.DISCORD_REQUESTS.labels(call, metrics.UNREACHABLE).inc()
            raise Unreachable(f"Discord cannot be reached: {error or type(error).__name__}") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            metrics.DISCORD_REQUESTS.labels(call, metrics.NO_ANSWER).inc()
            raise Ambiguous(f"no answer from Discord: {error or type(error).__name__}") from error
        finally:
            metrics.DISCORD_REQUEST_DURATION.labels(call).observe(time.monotonic() - began)
        metrics.DISCORD_REQUESTS.labels(call, str(status)).inc()
        if response.ok:
            return answer
        answer = answer if isinstance(answer, dict) else {}
        raise refusal(
            status,
            code=int(answer.get("code") or 0),
            text=str(answer.get("message", "")),
            retry_after=_seconds(answer.get("retry_after", response.headers.get("Retry-After"))),
            everywhere=answer.get("global") is True or "retry_after" not in answer,  # then it is Discord's network
        )


def _id(answer: dict[str, Any]) -> int:
    try:
        return int(answer["id"])
    except (KeyError, TypeError, ValueError) as error:
        raise Ambiguous("Discord answered without an id") from error


async def _json(response: aiohttp.ClientResponse) -> Any:
    try:
        return await response.json(content_type=None)
    except ValueError:
        return {"message": "(not JSON)"}


def _seconds(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except ValueError:  # a Retry-After may also be a date
        return None
