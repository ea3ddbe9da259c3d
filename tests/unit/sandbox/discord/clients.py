"""Clients of the sandbox for its own tests: plain requests and gateway frames, without discord.py between."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp

from sandbox.discord.server import SandboxDiscord
from tests.support.waiting import WAIT_TIMEOUT

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """An answer, read."""

    status: int
    body: Any
    headers: dict[str, str]


class Api:
    """Requests with the bot's token."""

    def __init__(self, sandbox: SandboxDiscord, session: aiohttp.ClientSession) -> None:
        self._base = f"{sandbox.url}/api/v10"
        self._headers = {"Authorization": f"Bot {sandbox.token}"}
        self._session = session

    async def __call__(self, method: str, path: str, body: Any = None, **arguments: Any) -> Reply:
        headers = {**self._headers, **arguments.pop("headers", {})}
        url = self._base + path
        async with self._session.request(method, url, json=body, headers=headers, **arguments) as answer:
            text = await answer.text()
            is_json = answer.headers.get("Content-Type") == "application/json"
            return Reply(answer.status, json.loads(text) if is_json else text, dict(answer.headers))

    async def send(self, channel: int, content: str = "hello", **fields: Any) -> Reply:
        """Create a message."""
        return await self("POST", f"/channels/{channel}/messages", {"content": content, **fields})


class RawBot:
    """A gateway connection that records what it receives."""

    def __init__(self, sandbox: SandboxDiscord, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.ready: Json = {}
        self.seq = 0
        self._session = session
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    @property
    def socket(self) -> aiohttp.ClientWebSocketResponse:
        """The open connection."""
        assert self._socket is not None
        return self._socket

    async def __aenter__(self) -> RawBot:
        self._socket = await self._session.ws_connect(self.sandbox.gateway_url + "?v=10&encoding=json")
        assert (await self.frame())["op"] == 10
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.socket.close(code=4000)

    async def send(self, op: int, data: Any) -> None:
        """Send a frame."""
        await self.socket.send_json({"op": op, "d": data})

    async def frame(self) -> Json:
        """The next frame."""
        frame: Json = json.loads(await self.socket.receive_str(timeout=WAIT_TIMEOUT))
        self.seq = frame.get("s") or self.seq
        return frame

    async def event(self, name: str) -> Json:
        """The data of the next event of this name; earlier events are passed over."""
        async with asyncio.timeout(WAIT_TIMEOUT):
            while (frame := await self.frame())["t"] != name:
                pass
        data: Json = frame["d"]
        return data

    async def identify(self, intents: int = 0b1_0010_0000_0001, **fields: Any) -> None:
        """Start a session (with guilds, guild messages and direct messages) and hear its guilds."""
        await self.send(2, {"token": self.sandbox.token, "intents": intents, "properties": {}, **fields})
        self.ready = await self.event("READY")
        for _ in self.ready["guilds"] if intents & 1 else ():
            await self.event("GUILD_CREATE")

    async def resume(self, session_id: str, seq: int) -> None:
        """Go on with a session."""
        await self.send(6, {"token": self.sandbox.token, "session_id": session_id, "seq": seq})

    async def close_code(self) -> int | None:
        """Read until the sandbox closes the connection; the code with which it did."""
        async with asyncio.timeout(WAIT_TIMEOUT):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code
