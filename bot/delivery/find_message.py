"""Finds a message that may have been sent, after Discord may have forgotten its nonce."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from shared.discord.history import Extent, ReadPage, read_history

MAX_PAGES = 5
"""A busier channel is not read completely."""
_CLOCK_SKEW = timedelta(seconds=60)
"""Greatest difference between Discord's clock, which is in a message's id, and the database's."""


class Search(enum.Enum):
    """The result of a search that found no message."""

    NOT_FOUND = "not found"
    INCONCLUSIVE = "inconclusive"


async def find_message(
    read_page: ReadPage, nonce: str, *, since: datetime, may_read: Callable[[], Awaitable[bool]]
) -> int | Search:
    """Return the id of the message with a nonce, or what its absence proves. Raises as `read_page` and `may_read`.

    `may_read` says whether an empty page means that there are no messages. It is asked only then.
    """
    messages, extent = await read_history(read_page, since=since - _CLOCK_SKEW, max_pages=MAX_PAGES, stop_at=nonce)
    if messages and messages[-1].is_marked(nonce):
        return messages[-1].id
    is_sure = extent is Extent.COMPLETE or (extent is Extent.EMPTY and await may_read())
    return Search.NOT_FOUND if is_sure else Search.INCONCLUSIVE
