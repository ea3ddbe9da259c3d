"""The gateway's WebSocket: frames in and out.

Frames are plain text. Clients that ask for compression accept them too. One writer sends frames from a queue, because
events come from synchronous code and must keep their order.
Source: https://docs.discord.com/developers/events/gateway#connections and /topics/opcodes-and-status-codes#gateway
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from sandbox.discord.gateway.gateway import HEARTBEAT_INTERVAL, Gateway, GatewayCloseError
from sandbox.discord.gateway.session import Session

Json = dict[str, Any]

MAX_FRAME = 4096
FRAMES_A_MINUTE = 120
CLOSE_WITHIN = 5.0
SILENCE = HEARTBEAT_INTERVAL * 2
_VERSIONS = (None, "9", "10")
_ENDING = (WSCloseCode.OK, WSCloseCode.GOING_AWAY)
_DISPATCHES = frozenset({3, 4, 14})  # presence, voice state and the like: accepted, and of no effect here


class Socket:
    """One connection of a bot."""

    def __init__(self, gateway: Gateway, request: web.Request) -> None:
        self.session: Session | None = None
        self._gateway = gateway
        self._request = request
        self._socket = web.WebSocketResponse(max_msg_size=64 * 1024, autoping=True)
        self._outgoing: asyncio.Queue[str | GatewayCloseError] = asyncio.Queue()
        self._recent: deque[float] = deque(maxlen=FRAMES_A_MINUTE + 1)

    def send(self, frame: str) -> None:
        """Queue a frame."""
        self._outgoing.put_nowait(frame)

    def close_soon(self, code: int) -> None:
        """Close with a code once the queue is sent."""
        self._outgoing.put_nowait(GatewayCloseError(code, ""))

    def drop(self) -> None:
        """Cut the connection without a close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def serve(self) -> web.WebSocketResponse:
        """Serve the connection until either side ends it."""
        await self._socket.prepare(self._request)
        self._gateway.connections.add(self)
        writer = asyncio.create_task(self._write(), name="sandbox-gateway-writer")
        self.send(f'{{"op":10,"d":{{"heartbeat_interval":{int(HEARTBEAT_INTERVAL * 1000)},"_trace":[]}}}}')
        try:
            if self._request.query.get("v") not in _VERSIONS:
                raise GatewayCloseError(4012, "Invalid API version.")
            await self._read()
        except GatewayCloseError as end:
            self._gateway.refused[end.code] += 1
            self._outgoing.put_nowait(end)
            await asyncio.wait({writer}, timeout=CLOSE_WITHIN)
        finally:
            self._gateway.detach(self, ended=self._socket.close_code in _ENDING)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return self._socket

    async def _write(self) -> None:
        while True:
            frame = await self._outgoing.get()
            try:
                if isinstance(frame, GatewayCloseError):
                    await self._socket.close(code=frame.code, message=frame.reason.encode())
                    return
                await self._socket.send_str(frame)
            except ConnectionError:
                return  # the reader notices too, and detaches the session

    async def _read(self) -> None:
        while True:
            try:
                message = await self._socket.receive(timeout=SILENCE)
            except TimeoutError:
                raise GatewayCloseError(4009, "Session timed out.") from None
            if message.type is WSMsgType.TEXT:
                self._handle(self._parse(message.data))
            elif message.type is WSMsgType.BINARY:
                raise GatewayCloseError(4002, "Error while decoding payload.")
            else:
                return

    def _parse(self, text: str) -> Json:
        now = self._gateway.world.clock.monotonic()
        self._recent.append(now)
        if len(self._recent) > FRAMES_A_MINUTE and now - self._recent[0] < 60.0:
            raise GatewayCloseError(4008, "Rate limited.")
        try:
            payload = json.loads(text) if len(text.encode()) <= MAX_FRAME else None
        except ValueError:
            payload = None
        if not isinstance(payload, dict):
            raise GatewayCloseError(4002, "Error while decoding payload.")
        return payload

    def _handle(self, payload: Json) -> None:
        op, data = payload.get("op"), payload.get("d")
        if op == 1:
            self.send('{"op":11}')
            return
        body: Json = data if isinstance(data, dict) else {}
        if op in (2, 6):
            if self.session is not None:
                raise GatewayCloseError(4005, "Already authenticated.")
            begin = self._gateway.identify if op == 2 else self._gateway.resume
            begin(self, body)
        elif self.session is None:
            raise GatewayCloseError(4003, "Not authenticated.")
        elif op == 8:
            self._gateway.members(self.session, body)
        elif op not in _DISPATCHES:
            raise GatewayCloseError(4001, "Unknown opcode.")
