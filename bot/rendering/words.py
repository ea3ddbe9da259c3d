"""Times, durations and people as Discord messages say them.

Moments are written `<t:…>`, which every reader sees in their own zone and language; formatting them here in the
server's zone was rejected, because players of one session often live in several.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))

Style = Literal["t", "T", "d", "D", "f", "F", "R"]
"""Discord's styles; F is date and time in full, R is relative ("in 2 hours") and kept current by the client.

Source: https://docs.discord.com/developers/reference#message-formatting
"""


def moment(at: datetime, style: Style) -> str:
    """Return a time that each reader sees in their own zone."""
    return f"<t:{int(at.timestamp())}:{style}>"


def mention(user_id: int) -> str:
    """Return a user's name as a link; it pings only where `allowed_mentions` lets it."""
    return f"<@{user_id}>"


def duration(span: timedelta) -> str:
    """Return "1 hour 30 minutes" for a span of whole seconds."""
    rest = int(span.total_seconds())
    parts = []
    for unit, seconds in _UNITS:
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(plural(count, unit))
    return " ".join(parts) or "0 seconds"


def plural(count: int, noun: str) -> str:
    """Return "1 seat" or "2 seats"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(items: Iterable[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last
