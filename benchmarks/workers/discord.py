"""A Discord that answers at once and allows everything, inside the bot's process.

It takes the place of the bot's own HTTP client, so no request is encoded, sent or awaited: what is measured is what
Questbell does around a request. The real Discord allows a bot 50 requests a second.
"""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

from benchmarks.errors import BenchmarkError
from bot.delivery.limits import Limits
from shared.discord.client import DiscordClient
from shared.discord.ids import delivery_id_of

UNLIMITED = 1e9
"""Requests a second."""


class InstantDiscord(DiscordClient):
    """Gives every message an id, and remembers for which delivery."""

    def __init__(self) -> None:
        """Nothing to connect to."""
        self._ids = itertools.count(1)
        self.told: list[tuple[UUID, int]] = []

    async def create_message(self, channel_id: int, payload: dict[str, Any], *, nonce: str) -> int:
        """Return a new id, also for a nonce that was seen before: a second telling must show."""
        message_id = next(self._ids)
        delivery_id = delivery_id_of(nonce)
        assert delivery_id is not None
        self.told.append((delivery_id, message_id))
        return message_id

    async def edit_message(self, channel_id: int, message_id: int, payload: dict[str, Any]) -> None:
        """Refuse: a benchmark has no announcements."""
        raise BenchmarkError(f"nobody asked to edit message {message_id}")

    async def list_messages(self, channel_id: int, *, before: int | None = None) -> list[dict[str, Any]]:
        """Refuse: there is nothing to look up where every answer comes at once."""
        raise BenchmarkError(f"nobody asked to read channel {channel_id}")


def no_limits() -> Limits:
    """Return the bot's limits without a rate."""
    return Limits(requests_per_second=UNLIMITED, burst=UNLIMITED / 2)
