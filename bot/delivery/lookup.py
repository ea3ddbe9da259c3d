"""Looking in the channel for a message that may have been sent, when Discord may have forgotten its nonce.

A message is ours when a component's id ends with its mark. That it is not there counts only when the search was
sure: the history could be read, which an empty answer does not prove, and the search went back to before the first
try.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from bot.delivery.nonce import nonce

PAGES = 5
"""Pages of 100 messages that are read at most; a busier channel is not read to its end."""
_DISCORD_EPOCH = 1_420_070_400_000
_SKEW = 60.0
"""Seconds by which Discord's clock, which is in a message's id, may differ from the database's."""


Page = Callable[[int | None], Awaitable[list[dict[str, Any]]]]
"""Reads the hundred messages of a channel before one, newest first; None for the latest."""


class Search(enum.Enum):
    """What a search that found nothing means."""

    ABSENT = "absent"
    UNSURE = "unsure"


async def look_up(read: Page, delivery_id: UUID, *, since: datetime, all_readable: bool = False) -> int | Search:
    """Return the id of the message of a delivery, or what its absence means. Raises as `read`.

    `all_readable` says that no permission is needed to read there, as in direct messages: then nothing means nothing.
    """
    mark, before = f":{nonce(delivery_id)}", None
    for _ in range(PAGES):
        page = await read(before)
        for message in page:
            if any(custom_id.endswith(mark) for custom_id in _custom_ids(message)):
                return int(message["id"])
        if not page:
            return Search.UNSURE if before is None and not all_readable else Search.ABSENT
        before = int(page[-1]["id"])
        if _sent_at(before) < since.timestamp() - _SKEW:
            return Search.ABSENT
    return Search.UNSURE


def _custom_ids(message: dict[str, Any]) -> list[str]:
    rows = message.get("components") or []
    return [str(part.get("custom_id", "")) for row in rows for part in row.get("components") or []]


def _sent_at(message_id: int) -> float:
    """Return when a message was made, in Unix seconds: https://discord.com/developers/docs/reference#snowflakes."""
    return ((message_id >> 22) + _DISCORD_EPOCH) / 1000
