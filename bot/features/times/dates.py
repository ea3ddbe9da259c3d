"""Reads a day without a time and a time without a day, in the grammar of start times."""

from __future__ import annotations

from datetime import date, time

from bot.features.errors import UserError
from bot.features.times.calendar import DayError, find_dates, fits_part
from bot.features.times.grammar import read
from bot.features.times.normalize import normalize
from bot.features.times.zone_names import customs_of
from bot.rendering.escaping import escape

_DAY_FIELDS = ("days", "weeks", "weekday", "day", "month", "year")
_NOT_CLOCK = (*_DAY_FIELDS, "span", "timestamp", "length", "until", "zone", "offset")


def parse_date(text: str, *, after: date, zone: str = "UTC", locale: str | None = None) -> date:
    """Return the first day after another one that a text names.

    Raises:
        UserError: it names none, or several.
    """
    found: set[date] = set()
    for facts in read(normalize(text), customs_of(zone, locale)).all:
        if not facts.says(*_DAY_FIELDS) or facts.says("clock", "span", "timestamp", "length", "until", "part"):
            continue
        try:
            readings = find_dates(facts, after)
        except DayError:
            continue
        found.update(ahead[0] for dates in readings if (ahead := [day for day in dates if day > after]))
    if len(found) == 1:
        return found.pop()
    quoted = f"“{escape(text, limit=60)}”"
    if not found:
        raise UserError(f"{quoted} isn't a day that I know. Enter one such as `1 June` or `{after.year + 1}-06-01`.")
    choices = " or ".join(f"`{day}`" for day in sorted(found)[:4])
    raise UserError(f"{quoted} can mean several days. Enter {choices}.")


def parse_clock(text: str, *, zone: str, locale: str | None = None) -> time:
    """Return the time of day that a text names.

    Raises:
        UserError: it names none, or several.
    """
    found = {
        facts.clock
        for facts in read(normalize(text), customs_of(zone, locale)).all
        if facts.clock is not None and facts.clock < 86_400 and fits_part(facts) and not facts.says(*_NOT_CLOCK)
    }
    times = sorted(time(clock // 3600, clock // 60 % 60, clock % 60) for clock in found)
    if len(times) == 1:
        return times[0]
    quoted = f"“{escape(text, limit=60)}”"
    if not times:
        raise UserError(f"{quoted} isn't a time of day that I know. Enter one such as `8pm` or `19:30`.")
    raise UserError(f"{quoted} can mean several times. Enter {' or '.join(f'`{at:%H:%M}`' for at in times)}.")
