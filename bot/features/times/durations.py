"""Parses durations and reminder times.

Every number needs a unit. Guessing was rejected because "90" may mean minutes or be a mistake.
"""

from __future__ import annotations

import re
from datetime import timedelta

from bot.features.errors import UserError
from bot.rendering.escaping import escape
from shared.formatting import SECONDS_PER_UNIT

SHORTEST, LONGEST = timedelta(seconds=10), timedelta(days=7)
MOST_REMINDERS = 5
EARLIEST_REMINDER = timedelta(days=30)

_SECONDS = {unit[0]: seconds for unit, seconds in SECONDS_PER_UNIT.items()}
_NUMBER = r"(\d{1,7}(?:\.\d{1,4})?)"
_UNIT = r"(w(?:eeks?)?|d(?:ays?)?|h(?:rs?|ours?)?|m(?:ins?|inutes?)?|s(?:ecs?|econds?)?)"
_PART = re.compile(rf"{_NUMBER}\s*{_UNIT}(?![a-z])|{_NUMBER}{_UNIT}(?=\d)")
_SEPARATOR = re.compile(r"\s*(?:,|and)?\s*")
_ISO = re.compile(r"p(?:(\d{1,5})d)?(?:t(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?)?")
_AT_START = {"0", "start", "at start", "at the start"}
_NONE = {"none", "no", "off", "-"}


def parse_span(text: str) -> timedelta | None:
    """Return the duration for texts such as "1h30m", "45 min" or "PT2H", else None."""
    text = " ".join(text.casefold().split())
    if iso := _ISO.fullmatch(text):
        days, hours, minutes, seconds = (int(group or 0) for group in iso.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds) if any(iso.groups()) else None
    total, position = timedelta(), 0
    while part := _PART.match(text, position):
        number, unit, tight_number, tight_unit = part.groups()
        total += timedelta(seconds=float(number or tight_number) * _SECONDS[(unit or tight_unit)[0]])
        position = part.end()
        if position == len(text):
            return total
        separator = _SEPARATOR.match(text, position)
        position = separator.end() if separator else position
    return None


def parse_duration(text: str) -> timedelta:
    """Return a game's duration, in whole seconds from 10 s to 7 days.

    Raises:
        UserError: the text is invalid or outside that range.
    """
    duration = parse_span(text)
    if duration is None:
        if (number := text.strip()).isdecimal() and number.isascii():
            raise UserError(f"Does {_quote(number)} mean hours or minutes? Try `{number[:9]}h` or `{number[:9]}m`.")
        raise UserError(f"I don't understand the duration {_quote(text)}. Try `3h`, `1h30m` or `45m`.")
    if duration < SHORTEST:
        raise UserError("A game must last at least 10 seconds. Try `3h` or `90m`.")
    if duration > LONGEST:
        raise UserError("A game can last up to 7 days. Try `2d` or `36h`.")
    return timedelta(seconds=round(duration.total_seconds()))


def parse_reminder_offsets(text: str) -> tuple[int, ...]:
    """Return reminder times in minutes before the start, earliest first. 0 is the start, and "none" means no reminders.

    Raises:
        UserError: a part is invalid, there are too many, or one is more than 30 days before the start.
    """
    text = " ".join(text.casefold().split())
    if not text or text in _NONE:
        return ()
    parts = [part for raw in re.split(r"[,;]| and ", text) if (part := raw.strip())]
    offsets = tuple(sorted({_parse_offset(part) for part in parts}, reverse=True))
    if len(offsets) > MOST_REMINDERS:
        raise UserError(
            f"A game can have up to {MOST_REMINDERS} reminders, but you entered {len(offsets)}. Try `1d, 1h, 0`."
        )
    return offsets


def _parse_offset(part: str) -> int:
    part = part.removesuffix(" before").strip()
    if part in _AT_START:
        return 0
    if part.isdecimal():
        raise UserError(
            f"Does the reminder {_quote(part)} mean minutes or hours? "
            f"Enter `{part[:9]}m` or `{part[:9]}h`, or `0` for the start."
        )
    span = parse_span(part)
    if span is None:
        raise UserError(
            f"I don't understand the reminder {_quote(part)}. "
            "Enter how long before the start, such as `1d, 1h, 10m, 0`, or `none`."
        )
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    if seconds:
        raise UserError("Reminders must be whole minutes. Try `2m` or `0`.")
    if span > EARLIEST_REMINDER:
        raise UserError("A reminder can be up to 30 days before the start. Try `30d` or `1w`.")
    return minutes


def _quote(text: str) -> str:
    return f"“{escape(text, limit=60)}”"
