"""How long a session lasts, and how long before it people are reminded.

Every number needs its unit. Guessing one was rejected: "90" is minutes to one host and a mistake to another.
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
_BETWEEN = re.compile(r"\s*(?:,|and)?\s*")
_ISO = re.compile(r"p(?:(\d{1,5})d)?(?:t(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?)?")
_AT_START = {"0", "start", "at start", "at the start"}
_NONE = {"none", "no", "off", "-"}


def span(text: str) -> timedelta | None:
    """Return the duration that "1h30m", "45 min" or "PT2H" means, or None for anything else."""
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
        between = _BETWEEN.match(text, position)
        position = between.end() if between else position
    return None


def parse_duration(text: str) -> timedelta:
    """Return how long a session lasts, in whole seconds from 10 s to 7 days.

    Raises:
        UserError: it cannot be read, or is outside that range.
    """
    found = span(text)
    if found is None:
        raise UserError(f"“{_quoted(text)}” isn't a valid duration. Try `3h`, `1h30m` or `45m`.")
    if found < SHORTEST:
        raise UserError("A game must last at least 10 seconds. Try `3h` or `90m`.")
    if found > LONGEST:
        raise UserError("A game can last at most 7 days. Try `2d` or `36h`.")
    return timedelta(seconds=round(found.total_seconds()))


def parse_offsets(text: str) -> tuple[int, ...]:
    """Return when people are reminded, in minutes before the start, the earliest first; 0 is the start itself.

    "none" asks for no reminders.

    Raises:
        UserError: a part cannot be read, there are too many, or one is more than 30 days before.
    """
    wish = " ".join(text.casefold().split())
    if not wish or wish in _NONE:
        return ()
    parts = [part for raw in re.split(r"[,;]| and ", wish) if (part := raw.strip())]
    offsets = tuple(sorted({_offset(part) for part in parts}, reverse=True))
    if len(offsets) > MOST_REMINDERS:
        raise UserError(
            f"A game can have at most {MOST_REMINDERS} reminders, and you entered {len(offsets)}. Try `1d, 1h, 0`."
        )
    return offsets


def _offset(part: str) -> int:
    part = part.removesuffix(" before").strip()
    if part in _AT_START:
        return 0
    if part.isdecimal():
        raise UserError(
            f"Is the reminder `{part[:9]}` in minutes or hours? "
            f"Enter `{part[:9]}m` or `{part[:9]}h`. Use `0` for a reminder at the start."
        )
    found = span(part)
    if found is None:
        raise UserError(
            f"“{_quoted(part)}” isn't a valid reminder. "
            "Enter how long before the start, such as `1d, 1h, 10m, 0`, or enter `none`."
        )
    minutes, seconds = divmod(round(found.total_seconds()), 60)
    if seconds:
        raise UserError("Reminders must be whole minutes. Try `2m` or `0`.")
    if found > EARLIEST_REMINDER:
        raise UserError("A reminder can be at most 30 days before the start. Try `30d` or `1w`.")
    return minutes


def _quoted(text: str) -> str:
    return escape(text, limit=60)
