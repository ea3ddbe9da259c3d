"""The shards: the connections to Discord's gateway, each of which gets the events of its servers.

Source: https://docs.discord.com/developers/events/gateway#sharding
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.settings import BotSettings


@dataclass(frozen=True)
class Shard:
    """One of the connections. Direct messages are reported to the first one."""

    number: int = 0
    count: int = 1

    @property
    def name(self) -> str:
        """Return the name for logs."""
        return "gateway" if self.count == 1 else f"gateway, shard {self.number}"

    def serves(self, guild_id: int) -> bool:
        """Return whether the events of a server come through this shard."""
        return (guild_id >> 22) % self.count == self.number


def list_shards(settings: BotSettings, count: int) -> list[Shard]:
    """Return the shards of this process, given the number of all."""
    return [Shard(number, count) for number in range(settings.ordinal, count, settings.processes)]
