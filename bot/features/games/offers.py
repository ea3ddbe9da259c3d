"""Reads how long a player from the waitlist has to take a seat."""

from __future__ import annotations

from datetime import timedelta

from bot.features.errors import UserError
from bot.features.times.normalize import normalize
from bot.features.times.spans import parse_span
from bot.rendering.escaping import clean, escape

LONGEST_OFFER = timedelta(days=7)
_NO_OFFER = {"", "0", "none", "no", "off", "-"}
_MINUTE = timedelta(minutes=1)


def parse_offer(text: str) -> int | None:
    """Return the minutes that a player has to take a seat, None if it is theirs at once.

    Raises:
        UserError: the text is no duration, or one that is too short or too long.
    """
    if clean(text).casefold() in _NO_OFFER:
        return None
    span = parse_span(normalize(text))
    if span is None or span % _MINUTE or not _MINUTE <= span <= LONGEST_OFFER:
        raise UserError(
            f"“{escape(text, limit=40)}” can't be the time to take a seat. "
            "Enter whole minutes, hours or days up to 7 days for `offer`, such as `30m` or `12h`, or `none`."
        )
    return span // _MINUTE
