"""Drives a sandbox that runs in another process.

It offers the actions of `SandboxDiscord` over HTTP. Results are the control API's JSON, because the objects themselves
live in the other process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any

import aiohttp

from sandbox.discord.faults.model import Action, action_to_json

Json = dict[str, Any]

REQUEST_WITHIN = 75.0
LOOK_AGAIN_AFTER = 30.0


class SandboxError(Exception):
    """The sandbox rejected a request. The text is the reason."""


class SandboxClient:
    """A client of the control API, while its context is open.

    Args:
        url: the sandbox's address, as its page has it.
        session: the HTTP session to use; None creates one.
    """

    def __init__(self, url: str, *, session: aiohttp.ClientSession | None = None) -> None:
        self._url = url.rstrip("/")
        self._given = session
        self._session = session

    async def __aenter__(self) -> SandboxClient:
        """Open a session if none was given."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_WITHIN))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the session if it was created here."""
        if self._given is None and self._session is not None:
            await self._session.close()
            self._session = None

    async def slash(
        self, user: str, command: str, /, *, in_channel: str | int | None = None, finish: float = 0.0, **options: Any
    ) -> Json:
        """Run a command as a user. `finish` is how many seconds to wait for a deferred answer."""
        body = {"user": user, "command": command, "options": options, "channel": in_channel, "finish": finish}
        return await self._post("slash", body)

    async def click(
        self,
        user: str,
        message: int | str,
        custom_id: str,
        *,
        values: list[str] | None = None,
        finish: float = 0.0,
    ) -> Json:
        """Press a button as a user, or pick `values` in a select."""
        body = {"user": user, "message": str(message), "custom_id": custom_id, "values": values, "finish": finish}
        return await self._post("click", body)

    async def submit_modal(self, user: str, interaction: int | str, values: Json, *, finish: float = 0.0) -> Json:
        """Submit the modal that an interaction opened, as a user."""
        body = {"user": user, "interaction": str(interaction), "values": values, "finish": finish}
        return await self._post("modal", body)

    async def say(self, user: str, text: str, *, in_channel: str | int | None = None) -> Json:
        """Write a message as a user."""
        return await self._post("say", {"user": user, "text": text, "channel": in_channel})

    async def change_world(self, action: str, **details: Any) -> Json:
        """Change the world: `change_world("close_dms", user="Mia")`."""
        return await self._post("world", {"do": action, **details})

    async def state(self) -> Json:
        """Return the whole state except messages."""
        state: Json = await self._call("GET", "state")
        return state

    async def messages(self, channel: str | int, *, limit: int = 100) -> list[Json]:
        """Return the newest messages of a channel, oldest first."""
        found: list[Json] = await self._call("GET", "messages", params={"channel": str(channel), "limit": str(limit)})
        return found

    async def evidence(self, *, after: int = 0, wait: float = 0.0) -> list[Json]:
        """Return what was accepted after record `after`. `wait` is how many seconds to wait for the first record."""
        params = {"after": str(after), "wait": str(wait)}
        records: list[Json] = await self._call("GET", "evidence", params=params)
        return records

    async def wait_for_evidence(self, predicate: Callable[[list[Json]], bool], *, timeout: float) -> list[Json]:
        """Return all evidence as soon as `predicate` is true for it.

        Raises:
            TimeoutError: it was not true within `timeout` seconds.
        """
        records: list[Json] = await self.evidence()
        async with asyncio.timeout(timeout):
            while not predicate(records):
                records += await self.evidence(after=len(records), wait=LOOK_AGAIN_AFTER)
        return records

    async def add_fault(self, action: Action, *, match: Json | None = None, **how_often: Any) -> Json:
        """Add a fault. `match` accepts names; `how_often` is times, seconds, probability, seed and label."""
        return await self._post("faults", {"action": action_to_json(action), "match": match or {}, **how_often})

    async def faults(self) -> list[Json]:
        """Return all faults, with how often each fired."""
        listed: list[Json] = await self._call("GET", "faults")
        return listed

    async def clear_faults(self) -> None:
        """Turn all faults off."""
        await self._call("DELETE", "faults")

    async def set_limits(self, **limits: list[float] | None) -> Json:
        """Change rate limits: `[limit, seconds]`, or None for none."""
        changed: Json = await self._call("PATCH", "limits", json=limits)
        return changed

    async def set_gateway(self, **fields: int) -> Json:
        """Change `recommended_shards` and `max_concurrency`."""
        changed: Json = await self._call("PATCH", "gateway", json=fields)
        return changed

    async def _post(self, path: str, body: Json) -> Json:
        answer: Json = await self._call("POST", path, json=body)
        return answer

    async def _call(self, method: str, path: str, **arguments: Any) -> Any:
        if self._session is None:
            raise RuntimeError("enter the client's context first")
        async with self._session.request(method, f"{self._url}/sandbox/{path}", **arguments) as response:
            if response.status == 204:
                return None
            answer = await response.json(content_type=None)
            if response.status >= 400:
                raise SandboxError(answer.get("error") or answer.get("message") or f"status {response.status}")
            return answer
