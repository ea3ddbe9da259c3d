"""Reads a channel's history back to a moment.

Discord answers a bot that may not read the history with an empty page. Only a `COMPLETE` history proves that a message
was not sent.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.discord.ids import created_at

ReadPage = Callable[[int | None], Awaitable[list[dict[str, Any]]]]
"""Reads the page before an id, newest first; None for the latest page."""


class Extent(enum.Enum):
    """How far back a channel was read."""

    COMPLETE = "complete"
    """Back to the wanted moment, or to the channel's first message."""
    EMPTY = "empty"
    """No message exists, or the history may not be read."""
    CUT_OFF = "cut off"
    """The limit of pages was reached first."""


@dataclass(frozen=True)
class ChannelMessage:
    """A message in a channel."""

    id: int
    author_id: int | None = None
    content: str = ""
    nonce: str | None = None
    custom_ids: tuple[str, ...] = ()

    @classmethod
    def parse(cls, message: Mapping[str, Any]) -> ChannelMessage:
        """Read an API object."""
        author, nonce = message.get("author") or {}, message.get("nonce")
        return cls(
            id=int(message["id"]),
            author_id=int(author["id"]) if "id" in author else None,
            content=str(message.get("content", "")),
            nonce=None if nonce is None else str(nonce),
            custom_ids=tuple(_custom_ids(message.get("components") or [])),
        )

    @property
    def created_at(self) -> datetime:
        """When Discord created it."""
        return created_at(self.id)

    def is_marked(self, nonce: str) -> bool:
        """Return whether a component has a delivery's nonce."""
        return any(custom_id.endswith(f":{nonce}") for custom_id in self.custom_ids)


async def read_history(
    read_page: ReadPage, *, since: datetime, max_pages: int, stop_at: str | None = None
) -> tuple[list[ChannelMessage], Extent]:
    """Return a channel's messages, newest first, back to the page that reaches `since`. Raises as `read_page`.

    It stops early at the message with the nonce `stop_at`, which is then last.
    """
    messages: list[ChannelMessage] = []
    before: int | None = None
    for _ in range(max_pages):
        page = [ChannelMessage.parse(message) for message in await read_page(before)]
        if not page:
            return messages, Extent.COMPLETE if messages else Extent.EMPTY
        for message in page:
            messages.append(message)
            if stop_at is not None and message.is_marked(stop_at):
                return messages, Extent.COMPLETE
        before = page[-1].id
        if page[-1].created_at < since:
            return messages, Extent.COMPLETE
    return messages, Extent.CUT_OFF


def _custom_ids(components: list[dict[str, Any]]) -> Iterator[str]:
    for component in components:
        if "custom_id" in component:
            yield str(component["custom_id"])
        yield from _custom_ids(component.get("components") or [])
