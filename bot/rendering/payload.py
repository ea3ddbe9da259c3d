"""The shape of what is sent, and the limits that Discord puts on it.

Payloads are plain dictionaries as the REST API takes them, so that the delivery side sends them without discord.py.

Sources: https://docs.discord.com/developers/resources/message#create-message and
https://docs.discord.com/developers/components/reference
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.models import Game

Payload = dict[str, Any]

CONTENT_LIMIT = 2000
FIELD_LIMIT = 1024
EMBED_TITLE_LIMIT = 256

MENTIONS_LIMIT = 75
"""How many people one message may ping. Discord allows 100, but the mentions (23 characters each) and at least the
beginning of the title must fit the content too."""

SUPPRESS_EMBEDS = 1 << 2
"""The message flag that keeps links from unfolding."""


def pings(mentions: Sequence[int]) -> Payload:
    """Return the `allowed_mentions` that ping exactly these users, and nobody for none."""
    return {"parse": [], "users": [str(user_id) for user_id in mentions]} if mentions else {"parse": []}


def message_link(game: Game) -> str | None:
    """Return the link to a game's announcement, or None while it has none."""
    if game.message_id is None:
        return None
    return f"https://discord.com/channels/{game.guild_id}/{game.channel_id}/{game.message_id}"
