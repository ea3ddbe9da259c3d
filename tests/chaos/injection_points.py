"""Injection points: moments of a protocol that show from outside what a process has just done.

A hook in the product's code would be exact by construction, but it would be code that runs nowhere else. The bytes on
the connection show the same: a broker's confirm means that the message is stored and the transaction still open.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sandbox.servers.fault_proxy import Action, Chunk, Direction, FaultProxy, Interceptor


@dataclass(frozen=True)
class InjectionPoint:
    """Bytes that pass a proxy in one direction."""

    proxy: str
    direction: Direction
    pattern: re.Pattern[bytes]


def _amqp_method(class_id: int, method_id: int) -> re.Pattern[bytes]:
    """Return a pattern of an AMQP method frame: type 1, channel, size, class and method.

    Source: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, section 4.2.3
    """
    pattern = rb"\x01..\x00\x00..\x00" + re.escape(bytes([class_id])) + b"\x00" + re.escape(bytes([method_id]))
    return re.compile(pattern, re.DOTALL)


_PUBLISH, _ACK = _amqp_method(60, 40), _amqp_method(60, 80)
_COMMIT = re.compile(rb"COMMIT;")
_COMMITTED = re.compile(rb"COMMIT\0")
"""PostgreSQL's command tag of a commit."""

PUBLISH_SENT = InjectionPoint("controllers-broker", Direction.TO_SERVER, _PUBLISH)
"""Rows are claimed, and a message is in flight."""
PUBLISH_CONFIRMED = InjectionPoint("controllers-broker", Direction.TO_CLIENT, _ACK)
"""The broker has the message, and the claim is still open."""
CLAIM_COMMIT_SENT = InjectionPoint("controllers-database", Direction.TO_SERVER, _COMMIT)
CLAIM_COMMITTED = InjectionPoint("controllers-database", Direction.TO_CLIENT, _COMMITTED)
REQUEST_SENT = InjectionPoint("bot-discord", Direction.TO_SERVER, re.compile(rb"POST /api/v10/channels/\d+/messages "))
"""`sending` is committed, and the request is in flight."""
REQUEST_ACCEPTED = InjectionPoint("bot-discord", Direction.TO_CLIENT, re.compile(rb"HTTP/1\.1 200 "))
"""Discord has the message, and its response is in flight."""
OUTCOME_COMMIT_SENT = InjectionPoint("bot-database", Direction.TO_SERVER, _COMMIT)
ACK_SENT = InjectionPoint("bot-broker", Direction.TO_SERVER, _ACK)
"""The outcome is committed, and the acknowledgement is in flight."""

Injection = Callable[[], Awaitable[Action]]


class Trigger:
    """Injects a fault once, when its points were seen in their order, while the last one's bytes are held back.

    Points of one proxy must be seen on one connection. The first `skipped` times the whole sequence passes untouched.
    """

    def __init__(self, *points: InjectionPoint, inject: Injection, skipped: int) -> None:
        self._points = points
        self._inject = inject
        self._skipped = skipped
        self._seen: defaultdict[int, int] = defaultdict(int)
        self._is_spent = False
        self._injecting: asyncio.Task[Action] | None = None
        self.fired = asyncio.Event()
        """Set when the fault was injected."""

    def arm(self, proxies: Mapping[str, FaultProxy]) -> None:
        """Watch the proxies from now on."""
        for name in {point.proxy for point in self._points}:
            proxies[name].interceptors.append(self._interceptor(name))

    def _interceptor(self, proxy: str) -> Interceptor:
        is_one_proxy = len({point.proxy for point in self._points}) == 1

        async def intercept(chunk: Chunk) -> Action:
            key = chunk.connection if is_one_proxy else 0
            point = self._points[self._seen[key]]
            if self._is_spent or (point.proxy, point.direction) != (proxy, chunk.direction):
                return Action.FORWARD
            if point.pattern.search(chunk.data) is None:
                return Action.FORWARD
            return await self._advance(key)

        return intercept

    async def _advance(self, key: int) -> Action:
        self._seen[key] += 1
        if self._seen[key] < len(self._points):
            return Action.FORWARD
        self._seen[key] = 0
        if self._skipped > 0:
            self._skipped -= 1
            return Action.FORWARD
        self._is_spent = True
        # A separate task: killing the process ends the connection, and with it the task that serves it.
        self._injecting = asyncio.create_task(self._run())
        return await asyncio.shield(self._injecting)

    async def _run(self) -> Action:
        try:
            return await self._inject()
        finally:
            self.fired.set()
