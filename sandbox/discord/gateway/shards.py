"""Shards: how a bot divides its guilds among several sessions.

Source: https://docs.discord.com/developers/events/gateway#sharding
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

GUILDS_AT_MOST = 2500
"""A session that would have more guilds is refused (4011)."""
_GUILDS_RECOMMENDED = 1000


@dataclass(frozen=True, order=True, slots=True)
class Shard:
    """One shard of a number of shards. A session that names none is the only one."""

    id: int = 0
    count: int = 1

    def covers(self, guild_id: int | None) -> bool:
        """Return whether it gets the events of a guild, or those of direct messages if None."""
        return self.id == (0 if guild_id is None else (guild_id >> 22) % self.count)


def parse_shard(given: Any) -> Shard:
    """Return the shard of an IDENTIFY. Raises ValueError if it is none."""
    match given:
        case None:
            return Shard()
        case [int(shard_id), int(count)] if 0 <= shard_id < count and bool not in (type(shard_id), type(count)):
            return Shard(shard_id, count)
    raise ValueError(f"not a shard: {given!r}")


def recommended_count(guilds: int) -> int:
    """Return how many shards Discord recommends: about one for each thousand guilds."""
    return max(1, math.ceil(guilds / _GUILDS_RECOMMENDED))
