"""Renders where a game is played. Only a channel that stands alone is a link."""

from __future__ import annotations

import re

from bot.rendering.escaping import clean, escape

_CHANNEL = re.compile(r"<#\d{1,20}>", re.ASCII)
_PLACE_LIMIT = 200
"""Twice the longest place, because each character may be escaped."""


def is_channel(place: str) -> bool:
    """Return whether a place is the mention of a channel."""
    return _CHANNEL.fullmatch(clean(place)) is not None


def format_place(place: str) -> str:
    """Return a place as it is shown, empty if there is none."""
    return clean(place) if is_channel(place) else escape(place, limit=_PLACE_LIMIT)
