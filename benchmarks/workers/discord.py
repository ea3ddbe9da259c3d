"""A Discord that responds at once and allows everything, inside the bot's process.

It takes the place of the bot's own HTTP client, so no request is encoded, sent or awaited: what is measured is what
Questbell does around a request. The real Discord allows a bot 50 requests a second.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.errors import BenchmarkError
from bot.delivery.rate_limits import RateLimiter
from shared.discord.client import DiscordClient
from shared.discord.ids import delivery_id_of

UNLIMITED = 1e9
"""Requests a second."""


@dataclass(frozen=True, slots=True)
class CreatedMessage:
    """A message that was asked for; `at` is in Unix seconds."""

    at: float
    message_id: int
    nonce: str
    channel_id: int
    payload: dict[str, Any]

    def as_json(self) -> list[Any]:
        """Return what the oracle needs of it."""
        delivery_id = delivery_id_of(self.nonce)
        mentioned = self.payload["allowed_mentions"].get("users", [])
        text = self.payload.get("content", "")
        return [self.at, self.message_id, delivery_id and str(delivery_id), self.channel_id, text, mentioned]


class InstantDiscord(DiscordClient):
    """Gives every message an id, and remembers the message."""

    def __init__(self) -> None:
        """Nothing to connect to."""
        self._ids = itertools.count(1)
        self.created: list[CreatedMessage] = []

    async def create_message(self, channel_id: int, payload: dict[str, Any], *, nonce: str) -> int:
        """Return a new id, also for a nonce that was seen before: a second message must show."""
        message_id = next(self._ids)
        self.created.append(CreatedMessage(time.time(), message_id, nonce, channel_id, payload))
        return message_id

    async def edit_message(self, channel_id: int, message_id: int, payload: dict[str, Any]) -> None:
        """Refuse: a benchmark has no announcements."""
        raise BenchmarkError(f"nobody asked to edit message {message_id}")

    async def list_messages(self, channel_id: int, *, before: int | None = None) -> list[dict[str, Any]]:
        """Refuse: there is nothing to look up where every response comes at once."""
        raise BenchmarkError(f"nobody asked to read channel {channel_id}")


def no_limits() -> RateLimiter:
    """Return the bot's limits without a rate."""
    return RateLimiter(requests_per_second=UNLIMITED, burst=UNLIMITED / 2)
