"""Reads where a game is played."""

from __future__ import annotations

from bot.features.errors import UserError
from bot.rendering.escaping import clean, is_blank

MOST_CHARACTERS = 100
NO_PLACE = "none"
"""What a host enters to remove the place."""


def parse_place(text: str) -> str:
    """Return a place as it is stored, empty if there is none.

    Raises:
        UserError: nothing of it can be seen, or it is too long.
    """
    place = clean(text)
    if place.casefold() == NO_PLACE:
        return ""
    if text and is_blank(place):
        raise UserError("The place has no visible text. Enter one, such as `Library` or `#voice`, or leave it out.")
    if len(place) > MOST_CHARACTERS:
        raise UserError(f"The place is too long. Enter up to {MOST_CHARACTERS} characters.")
    return place
