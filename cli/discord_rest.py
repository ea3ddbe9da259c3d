"""Reading from Discord: GET, one try with a time-out, and patience only where Discord asks for it.

The bot's own client was not taken: operations know neither workload, and it has no need to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from shared.errors import ConfigurationError, PermanentError, TransientError
from shared.settings import DiscordSettings, Timing

LONGEST_WAIT = 60.0
"""Seconds that a 429 may ask us to wait; a person who waits longer had better come back."""
MOST_WAITS = 20
"""How often in a row a request waits for a 429."""


class UnreadableError(PermanentError):
    """Discord does not let the bot read this: it is gone, or a permission is missing."""


@dataclass(frozen=True)
class DiscordReader:
    """Reads Discord's REST API as the bot."""

    session: aiohttp.ClientSession
    base: str

    @classmethod
    @asynccontextmanager
    async def connected(cls, settings: DiscordSettings, timing: Timing) -> AsyncIterator[DiscordReader]:
        """Hold the connections for a block."""
        headers = {
            "Authorization": f"Bot {settings.token.get_secret_value()}",
            "User-Agent": "DiscordBot (https://github.com/questbell/questbell, 0.1)",
        }
        timeout = aiohttp.ClientTimeout(total=timing.request_timeout)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            yield cls(session, f"{settings.api_url}/api/v10")

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return what is at a path.

        Raises:
            ConfigurationError: Discord refuses the bot's token.
            UnreadableError: the bot may not see it, or it does not exist.
            TransientError: no answer, a 5xx, or a 429 that asks for too much patience.
        """
        for _ in range(MOST_WAITS):
            status, answer = await self._ask(path, query)
            if status != 429:
                return _judged(status, answer)
            await asyncio.sleep(_patience(answer))
        raise TransientError("Discord keeps saying that it is asked too fast: try again later")

    async def _ask(self, path: str, query: Mapping[str, str] | None) -> tuple[int, Any]:
        try:
            async with self.session.get(self.base + path, params=query) as response:
                return response.status, await response.json(content_type=None)
        except ValueError:
            return response.status, None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TransientError(f"no answer from Discord: {error or type(error).__name__}") from error


def _judged(status: int, answer: Any) -> Any:
    said = answer.get("message", "") if isinstance(answer, dict) else ""
    if status == 401:
        raise ConfigurationError("DISCORD_TOKEN: Discord refuses it; copy it anew from the application's Bot page")
    if status in (403, 404):
        raise UnreadableError(f"Discord answered {status}: {said[:200]}")
    if status != 200 or answer is None:
        raise TransientError(f"Discord answered {status}: {said[:200] or 'nothing readable'}")
    return answer


def _patience(answer: Any) -> float:
    """Return the seconds that a 429 asks to wait."""
    asked = answer.get("retry_after") if isinstance(answer, dict) else None
    seconds = float(asked) if isinstance(asked, int | float) else 1.0
    if seconds > LONGEST_WAIT:
        raise TransientError(f"Discord asks to be left alone for {seconds:.0f} s: try again then", retry_after=seconds)
    return seconds
