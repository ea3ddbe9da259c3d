"""Snowflakes: Discord's ids.

Ids of messages and interactions carry the time, because clients rely on it: history is paged by id, and a bot that asks
"was it sent?" searches after the id of a point in time. Ids of guilds, channels and users come from a counter, so that
a scenario has the same ids in every run. Their milliseconds are drawn, because they decide a guild's shard.
Source: https://docs.discord.com/developers/reference#snowflakes
"""

from __future__ import annotations

import random

from sandbox.discord.clock import Clock

DISCORD_EPOCH_MS = 1_420_070_400_000
_TIME_SHIFT = 22
_FOUNDED_MS = 1_577_880_000_000  # 1 January 2020, noon UTC: older than every message
_PLACED_APART_MS = 3_600_000


def snowflake_at(wall: float) -> int:
    """Return the smallest snowflake of the millisecond of `wall` (Unix seconds)."""
    return (int(wall * 1000) - DISCORD_EPOCH_MS) << _TIME_SHIFT


def created_at(snowflake: int) -> float:
    """Return the Unix time that a snowflake carries."""
    return ((snowflake >> _TIME_SHIFT) + DISCORD_EPOCH_MS) / 1000


class Snowflakes:
    """Generates ids. They strictly increase even if the clock does not."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._placed = 0
        self._drawn = random.Random(0)  # noqa: S311 -- the same ids in every run, not a secret

    def next(self) -> int:
        """Return an id for something that happens now."""
        self._last = max(snowflake_at(self._clock.wall()), self._last + 1)
        return self._last

    def place(self) -> int:
        """Return an id for a guild, channel, role or user. It is the same in every run that creates the same things."""
        self._placed += 1
        milliseconds = _FOUNDED_MS + self._placed * _PLACED_APART_MS + self._drawn.randrange(_PLACED_APART_MS)
        return snowflake_at(milliseconds / 1000)
