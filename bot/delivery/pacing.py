"""Paces requests as they are sent, so that Discord counts no more of them in a second than this process may make.

A delivery is admitted before its lease is taken, so that no lease runs while it waits for its turn. Several that were
admitted one after the other are ready together when their transaction commits. On a busy machine, 29 were sent within a
second at a share of 17.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import aiohttp

from bot.delivery.rate_limits import RateLimiter

_COUNTED = re.compile(r"/api/v\d+/(?!interactions/|webhooks/)")


def is_counted(path: str) -> bool:
    """Return whether a request with this path, perhaps through a proxy, counts towards Discord's limit.

    Connections to the gateway and answers to interactions do not
    (https://docs.discord.com/developers/interactions/receiving-and-responding#endpoints).
    """
    return _COUNTED.search(path) is not None


def pace_deliveries(limiter: RateLimiter) -> aiohttp.TraceConfig:
    """Pace the requests of deliveries, which have been admitted. One that would wait long is deferred, and not sent.

    aiohttp ends no request that waits here, even if its time-out has passed.
    """
    return _pace(limiter.pace)


def pace_others(limiter: RateLimiter) -> aiohttp.TraceConfig:
    """Pace all other requests, such as those of a login. They go first."""
    return _pace(limiter.pace_first)


def _pace(pace: Callable[[], Awaitable[None]]) -> aiohttp.TraceConfig:
    async def wait(_session: aiohttp.ClientSession, _context: object, request: aiohttp.TraceRequestStartParams) -> None:
        if is_counted(request.url.path):
            await pace()

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(wait)
    return trace
