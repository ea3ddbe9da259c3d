"""Parses start times: a Discord timestamp, an ISO date and time, or English by dateparser.

dateparser guesses, so ambiguous texts are refused. Local times are resolved here. A time that the clocks skip is
refused, and a time that occurs twice means the first.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dateparser.date import DateDataParser

from bot.features.errors import UserError
from bot.features.times.questions import (
    ask_for_time_of_day,
    quote,
    refuse_ambiguous,
    refuse_misread,
    rewrite,
)
from bot.rendering.formatting import format_timestamp

FURTHEST = timedelta(days=366)
_LIKELY_PAST = timedelta(days=335)
"""A date this far ahead without a year more likely means one that has just passed."""

_TIMESTAMP = re.compile(r"<t:(\d{1,11})(?::[a-z])?>")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[t ]+(\d{1,2})(:\d\d(?::\d\d)?)\s*(z|[+-]\d\d:?\d\d)?")
_YEAR = re.compile(r"\b\d{4}\b")
_CONTINENTAL_HOUR = re.compile(r"\b([01]?\d|2[0-3])h([0-5]\d)?\b")
_FROM_NOW = re.compile(r"in\b.*|.*\bfrom now")
_CLOCK_UNIT = re.compile(r"\d\s*[hms]\b|\b(?:hours?|hrs?|minutes?|mins?|seconds?|secs?)\b")


def parse_start_time(text: str, *, zone: str, now: datetime) -> datetime:
    """Return the time that a text means, in UTC and always after `now`.

    Local times are in `zone` (an IANA name). Call it in a thread, because the first call takes a few hundred
    milliseconds.

    Raises:
        UserError: the time is unclear, does not exist, is in the past, or is more than a year away.
    """
    folded = " ".join(text.casefold().split())
    try:
        at = (
            _parse_timestamp(folded)
            or _parse_iso(folded, zone=zone, now=now)
            or _parse_natural(folded, zone=zone, now=now)
        )
    except OverflowError:
        raise UserError(f"{quote(text)} isn't a valid date. Try {_examples(now)}.") from None
    if at <= now:
        raise UserError(
            f"{quote(text)} is in the past ({format_timestamp(at, 'F')}). "
            f"Times on this server are in {zone}. Enter a later time, such as `tomorrow 8pm`."
        )
    if at - now > _LIKELY_PAST and not (_YEAR.search(folded) or _TIMESTAMP.fullmatch(folded)):
        local = at.astimezone(ZoneInfo(zone))
        raise UserError(f"{quote(text)} has just passed. If you mean next year, enter `{local:%Y-%m-%d %H:%M}`.")
    if at - now > FURTHEST:
        raise UserError(f"{quote(text)} is more than a year away. Games can be planned up to a year ahead.")
    return at


def _parse_timestamp(text: str) -> datetime | None:
    found = _TIMESTAMP.fullmatch(text)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def _parse_iso(text: str, *, zone: str, now: datetime) -> datetime | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    date, hour, rest, offset = found.groups(default="")
    try:
        at = datetime.fromisoformat(f"{date}T{hour:0>2}{rest}{offset.upper()}")
    except ValueError:
        raise UserError(f"{quote(text)} isn't a valid date and time. Try `{_example_date(now)}`.") from None
    return at.astimezone(UTC) if at.tzinfo is not None else _resolve_local(at, zone=zone)


def _parse_natural(text: str, *, zone: str, now: datetime) -> datetime:
    text = rewrite(text)
    refuse_ambiguous(text)
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
        question = ask_for_time_of_day(text) or f"I don't understand the time {quote(text)}. Try {_examples(now)}."
        raise UserError(question)
    if found.date_obj.tzinfo is not None:
        raise UserError(
            f"Leave the time zone out. Times on this server are in {zone}, which `/game timezone` changes. "
            f"You can also enter a UTC offset: `{_example_date(now)}+02:00`."
        )
    if found.period != "time":
        needs_time = f"{quote(text)} needs a time of day, as in `tomorrow 8pm` or `friday 19:30`."
        raise UserError(ask_for_time_of_day(text) or needs_time)
    refuse_misread(text, found.date_obj, base=base)
    return _resolve_local(found.date_obj, zone=base_zone)


def _examples(now: datetime) -> str:
    return f"`tomorrow 8pm`, `friday 19:30`, `in 2 hours` or `{_example_date(now)}`"


def _example_date(now: datetime) -> str:
    """Return an example less than a year ahead, as others would be refused."""
    return f"{now + timedelta(days=7):%Y-%m-%d} 20:00"


def _resolve_local(local: datetime, *, zone: str) -> datetime:
    """Return the UTC time at which clocks in the zone show `local`, or the first of two.

    In a gap, folds 0 and 1 (PEP 495) give the times on either side.
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
