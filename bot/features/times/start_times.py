"""Parses when a game starts.

Three formats are tried, strictest first: a Discord timestamp, an ISO date and time, and natural English by dateparser.
The library guesses, so ambiguous texts are refused with what to enter instead: a text without a time of day, with the
abbreviation of a time zone (EST in July?) or with a date like 5/6.

Local times are resolved here and not by dateparser. A time that the clocks skip is refused with the two nearest times.
A time that comes twice means the first.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dateparser.date import DateDataParser

from bot.features.errors import UserError
from bot.features.times.durations import parse_span
from bot.rendering.escaping import escape
from bot.rendering.formatting import format_timestamp

FURTHEST = timedelta(days=366)
_LIKELY_PAST = timedelta(days=335)
"""A date this far ahead without a year more likely means one that has just passed."""

_EXAMPLES = "`tomorrow 8pm`, `friday 19:30`, `in 2 hours` or `2030-12-31 20:00`"
_TIMESTAMP = re.compile(r"<t:(\d{1,11})(?::[a-z])?>")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[t ]+(\d{1,2})(:\d\d(?::\d\d)?)\s*(z|[+-]\d\d:?\d\d)?")
_YEAR = re.compile(r"\b\d{4}\b")
_NUMERIC_DATE = re.compile(r"(?<![\d/.-])(\d{1,2})(?:[/-](\d{1,2})(?:[/-]\d{2,4})?|\.(\d{1,2})\.(?:\d{2,4})?)(?!\d)")
_CONTINENTAL_HOUR = re.compile(r"\b([01]?\d|2[0-3])h([0-5]\d)?\b")
_FROM_NOW = re.compile(r"in\b.*|.*\bfrom now")
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_BARE_HOUR = re.compile(rf"[a-z0-9 -]*\b(?:at|today|tonight|tomorrow|{_WEEKDAY}) (?:[1-9]|1[0-2])")
_CLOCK_UNIT = re.compile(r"\d\s*[hms]\b|\b(?:hours?|hrs?|minutes?|mins?|seconds?|secs?)\b")


def parse_start_time(text: str, *, zone: str, now: datetime) -> datetime:
    """Return the time that a text means, in UTC and always after `now`.

    Local times are in `zone` (an IANA name). The first call takes a few hundred milliseconds of processor time and
    later calls a few, so call it in a thread.

    Raises:
        UserError: the time is unclear, does not exist, is in the past, or is more than a year away.
    """
    folded = " ".join(text.casefold().split())
    try:
        at = _parse_timestamp(folded) or _parse_iso(folded, zone=zone) or _parse_natural(folded, zone=zone, now=now)
    except OverflowError:
        raise UserError(f"{_quote(text)} isn't a valid date. Try {_EXAMPLES}.") from None
    if at <= now:
        raise UserError(
            f"{_quote(text)} is in the past ({format_timestamp(at, 'F')}). Enter a future time, such as {_EXAMPLES}."
        )
    if at - now > _LIKELY_PAST and not (_YEAR.search(folded) or _TIMESTAMP.fullmatch(folded)):
        local = at.astimezone(ZoneInfo(zone))
        raise UserError(f"{_quote(text)} has just passed. If you mean next year, enter `{local:%Y-%m-%d %H:%M}`.")
    if at - now > FURTHEST:
        raise UserError(f"{_quote(text)} is more than a year away. Games can be planned up to a year ahead.")
    return at


def _parse_timestamp(text: str) -> datetime | None:
    found = _TIMESTAMP.fullmatch(text)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def _parse_iso(text: str, *, zone: str) -> datetime | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    date, hour, rest, offset = found.groups(default="")
    try:
        at = datetime.fromisoformat(f"{date}T{hour:0>2}{rest}{offset.upper()}")
    except ValueError:
        raise UserError(f"{_quote(text)} isn't a valid date and time. Try `2030-12-31 20:00`.") from None
    return at.astimezone(UTC) if at.tzinfo is not None else _resolve_local(at, zone=zone)


def _parse_natural(text: str, *, zone: str, now: datetime) -> datetime:
    _refuse_ambiguous(text)
    from_now = _FROM_NOW.fullmatch(text) is not None
    if not from_now:
        text = _CONTINENTAL_HOUR.sub(lambda found: f"{found[1]}:{found[2] or '00'}", text)
    # "In 2 hours" is elapsed time, whatever the clocks do. "In 2 days at 8pm" is a local time.
    base_zone = "UTC" if from_now and _CLOCK_UNIT.search(text) else zone
    base = now.astimezone(ZoneInfo(base_zone)).replace(tzinfo=None, microsecond=0)
    settings = {
        "RELATIVE_BASE": base,
        "PREFER_DATES_FROM": "future",
        "PARSERS": ["relative-time", "absolute-time"],
        "RETURN_TIME_AS_PERIOD": True,
    }
    found = DateDataParser(languages=["en"], settings=settings).get_date_data(text)
    if found.date_obj is None:
        raise UserError(f"I don't understand the time {_quote(text)}. Try {_EXAMPLES}.")
    if found.date_obj.tzinfo is not None:
        raise UserError(
            f"Leave the time zone out: times here are in {zone}. "
            "Or give a UTC offset, as in `2030-12-31 20:00+02:00`. `/game timezone` changes this server's time zone."
        )
    if found.period != "time":
        raise UserError(_ask_for_time_of_day(text))
    return _resolve_local(found.date_obj, zone=base_zone)


def _ask_for_time_of_day(text: str) -> str:
    """Return the question: morning or evening for a bare hour such as "friday 8", otherwise what time at all."""
    if _BARE_HOUR.fullmatch(text):
        return f"{_quote(text)}: morning or evening? Enter `{text}am` or `{text}pm`."
    return f"{_quote(text)} needs a time of day, as in `tomorrow 8pm` or `friday 19:30`."


def _refuse_ambiguous(text: str) -> None:
    if parse_span(text) is not None:
        raise UserError(f"For a time from now, enter `in {text}`. For a time of day, enter something like `20:00`.")
    found = _NUMERIC_DATE.search(text)
    if found is None:
        return
    first, second = int(found[1]), int(found[2] or found[3])
    if first != second and max(first, second) <= 12:
        raise UserError(
            f"Is the day or the month first in `{found[0]}`? "
            "Spell out the month, as in `6 may 8pm`, or enter `2030-05-06 20:00`."
        )


def _resolve_local(local: datetime, *, zone: str) -> datetime:
    """Return the UTC time at which clocks in the zone show `local`, or the first of two such times.

    In a gap, fold 0 and 1 (PEP 495) are resolved with the UTC offset before and after the change. They give the times
    on either side of the gap.
    """
    info = ZoneInfo(zone)
    first, second = (local.replace(tzinfo=info, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(info).replace(tzinfo=None) == local:
        return first
    before, after = (f"{at.astimezone(info):%Y-%m-%d %H:%M}" for at in (second, first))
    raise UserError(
        f"{local:%H:%M} doesn't exist in {zone} on that day because the clocks go forward. "
        f"Enter `{before}` or `{after}`."
    )


def _quote(text: str) -> str:
    return f"“{escape(text, limit=80)}”"
