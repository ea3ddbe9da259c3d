"""The chosen points: moments of a protocol by which one can tell, from outside, what a process has just done.

A hook in the product's code would be exact by construction, and would be code that runs nowhere else. The bytes on the
wire say the same: a broker's confirm means that the message is placed and the transaction still open.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.chaos.links import Fate, Link, Passing, Towards


@dataclass(frozen=True)
class Moment:
    """Bytes that pass a link in one direction."""

    link: str
    towards: Towards
    pattern: re.Pattern[bytes]


def _method(class_id: int, method_id: int) -> bytes:
    """Return a pattern of an AMQP method frame: type 1, channel, size, class and method.

    Source: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, section 4.2.3
    """
    return rb"\x01..\x00\x00..\x00" + re.escape(bytes([class_id])) + b"\x00" + re.escape(bytes([method_id]))


_PUBLISH, _ACK = re.compile(_method(60, 40), re.DOTALL), re.compile(_method(60, 80), re.DOTALL)

PUBLISHES = Moment("controllers-broker", Towards.SERVER, _PUBLISH)
"""Rows are claimed, and a message is on its way."""
CONFIRMED = Moment("controllers-broker", Towards.CLIENT, _ACK)
"""The broker has the message, and the claim is still open."""
COMMITS_CLAIM = Moment("controllers-database", Towards.SERVER, re.compile(rb"COMMIT;"))
CLAIM_COMMITTED = Moment("controllers-database", Towards.CLIENT, re.compile(rb"COMMIT\0"))
"""PostgreSQL's word that it committed: the command tag."""
REQUESTS = Moment("bot-discord", Towards.SERVER, re.compile(rb"POST /api/v10/channels/\d+/messages "))
"""`sending` is committed, and the request is on its way."""
ACCEPTED = Moment("bot-discord", Towards.CLIENT, re.compile(rb"HTTP/1\.1 200 "))
"""Discord's yes, on its way."""
COMMITS_OUTCOME = Moment("bot-database", Towards.SERVER, re.compile(rb"COMMIT;"))
OUTCOME_COMMITTED = Moment("bot-database", Towards.CLIENT, re.compile(rb"COMMIT\0"))
ACKS = Moment("bot-broker", Towards.SERVER, _ACK)
"""The outcome is committed, and the acknowledgement on its way."""

Act = Callable[[], Awaitable[Fate]]


class Tripwire:
    """Acts once, when its moments have been seen in their order, while the last one's bytes are held back.

    Moments of one link must come on one connection; the first `skipped` times the whole order was seen nothing is done.
    """

    def __init__(self, *moments: Moment, act: Act, skipped: int) -> None:
        self._moments = moments
        self._act = act
        self._skipped = skipped
        self._seen: defaultdict[int, int] = defaultdict(int)
        self._struck = False
        self._acting: asyncio.Task[Fate] | None = None
        self.tripped = asyncio.Event()
        """Set when it has acted."""

    def stretch(self, links: Mapping[str, Link]) -> None:
        """Watch from now on."""
        for name in {moment.link for moment in self._moments}:
            links[name].watchers.append(self._watcher(name))

    def _watcher(self, link: str) -> Callable[[Passing], Awaitable[Fate]]:
        alone = len({moment.link for moment in self._moments}) == 1

        async def watch(passing: Passing) -> Fate:
            key = passing.connection if alone else 0
            moment = self._moments[self._seen[key]]
            if self._struck or (moment.link, moment.towards) != (link, passing.towards):
                return Fate.PASSES
            if moment.pattern.search(passing.data) is None:
                return Fate.PASSES
            return await self._advance(key)

        return watch

    async def _advance(self, key: int) -> Fate:
        self._seen[key] += 1
        if self._seen[key] < len(self._moments):
            return Fate.PASSES
        self._seen[key] = 0
        if self._skipped > 0:
            self._skipped -= 1
            return Fate.PASSES
        self._struck = True
        # Of its own, because the connection ends with the process that is killed here, and with it whoever serves it.
        self._acting = asyncio.create_task(self._do())
        return await asyncio.shield(self._acting)

    async def _do(self) -> Fate:
        try:
            return await self._act()
        finally:
            self.tripped.set()
