"""Times and users in Discord's notation.

The server's time zone was rejected because players of one game often live in several zones.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

TimestampStyle = Literal["t", "T", "d", "D", "f", "F", "R"]
"""F is date and time in full. R is relative ("in 2 hours") and kept current by the client.

Source: https://docs.discord.com/developers/reference#message-formatting
"""


def format_timestamp(at: datetime, style: TimestampStyle) -> str:
    """Return a time that each reader sees in their zone."""
    return f"<t:{int(at.timestamp())}:{style}>"


def format_mention(user_id: int) -> str:
    """Return a user's name as a link. It pings only if `allowed_mentions` permits it."""
    return f"<@{user_id}>"


def format_role(role_id: int) -> str:
    """Return a role's name. It pings only if `allowed_mentions` permits it."""
    return f"<@&{role_id}>"


def format_channel(channel_id: int) -> str:
    """Return a channel's name as a link."""
    return f"<#{channel_id}>"
