"""Reading from Discord as the bot, waiting only where Discord asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.discord.errors import InvalidTokenError, RateLimitedError
from shared.errors import ConfigurationError, TransientError

LONGEST_WAIT = 60.0
"""Seconds that a 429 may ask to wait; if it asks for more, the command ends."""
MOST_WAITS = 20
"""How often in a row a request waits for a 429."""

T = TypeVar("T")


async def patiently(request: Callable[[], Awaitable[T]]) -> T:
    """Return what a request returns, waiting for rate limits.

    Raises:
        ConfigurationError: Discord rejects the bot's token.
        RequestRejectedError: the bot may not see it, or it does not exist.
        TransientError: no answer, a 5xx, or a 429 that asks for a long pause.
    """
    for _ in range(MOST_WAITS):
        try:
            return await request()
        except InvalidTokenError as error:
            raise ConfigurationError(
                "DISCORD_TOKEN: Discord rejects it. Copy a new token from the application's Bot page"
            ) from error
        except RateLimitedError as error:
            pause = error.retry_after or 0.0
            if pause > LONGEST_WAIT:
                raise TransientError(f"Discord asks for a pause of {pause:.0f} s. Try again after that") from error
            await asyncio.sleep(pause)
    raise TransientError("Discord keeps limiting the rate of requests. Try again later")
