"""Times and users in Discord's notation, and offsets in words.

The server's time zone was rejected because players of one game often live in several zones.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from bot.rendering.escaping import escape
from shared.formatting import format_duration, join_words

_TITLE_LIMIT = 200

TimestampStyle = Literal["t", "T", "d", "D", "f", "F", "R"]
"""F is date and time in full. R is relative ("in 2 hours") and kept current by the client.

Source: https://docs.discord.com/developers/reference#message-formatting
"""


def format_timestamp(at: datetime, style: TimestampStyle) -> str:
    """Return a time that each reader sees in their zone."""
    return f"<t:{int(at.timestamp())}:{style}>"


def format_title(title: str) -> str:
    """Return the title of a game or series in bold, for a sentence. Its own Markdown and mentions do nothing."""
    return f"**{escape(title, limit=_TITLE_LIMIT)}**"


def format_mention(user_id: int) -> str:
    """Return a user's name as a link. It pings only if `allowed_mentions` permits it."""
    return f"<@{user_id}>"


def format_role(role_id: int) -> str:
    """Return a role's name. It pings only if `allowed_mentions` permits it."""
    return f"<@&{role_id}>"


def format_channel(channel_id: int) -> str:
    """Return a channel's name as a link."""
    return f"<#{channel_id}>"


def describe_offsets(offsets: Iterable[int]) -> str:
    """Return when reminders are sent, such as "1 hour before and at the start"."""
    words = [
        f"{format_duration(timedelta(minutes=offset))} before" if offset else "at the start"
        for offset in sorted(offsets, reverse=True)
    ]
    return join_words(words) if words else "none"
