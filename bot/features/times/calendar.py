"""Finds the days and instants that facts name.

A local time can exist once, twice or, when the clocks skip it, never.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from bot.features.times.facts import Facts
from bot.features.times.words import HOURS

Dates = tuple[date, ...]
"""Days for one reading. The first that is not over is meant."""

_MOST_DAYS = 800


class DayError(Exception):
    """The facts mean no day. The message says why, as the end of a sentence about the text."""


class DayMissingError(DayError):
    """The text may name a date of which a part is missing."""


def find_dates(facts: Facts, today: date) -> list[Dates]:
    """Return the days that the facts can mean.

    Raises:
        DayError: they name none, or contradict each other.
    """
    found = [dates for dates in _named_dates(facts, today) if _is_consistent(facts, dates[0], today)]
    if not found:
        raise DayError(_contradiction(facts, today))
    return [shifted for dates in found for shifted in _shift_to_night(facts, dates)]


def instants(local: datetime, zone: tzinfo) -> list[datetime]:
    """Return the instants at which the clocks of a zone show a local time: one, two or none."""
    found = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in found if at.astimezone(zone).replace(tzinfo=None) == local)


def around_gap(local: datetime, zone: tzinfo) -> list[datetime]:
    """Return the instants before and after a gap in which a local time would be (PEP 495)."""
    return sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def at_clock(day: date, clock: int) -> datetime:
    """Return the local time so many seconds of the clock after midnight."""
    return datetime.combine(day, time()) + timedelta(seconds=clock)


def _named_dates(facts: Facts, today: date) -> Iterator[Dates]:
    if facts.day is not None:
        if facts.month is None and facts.year is not None:
            raise DayMissingError("names no month")
        yield _calendar_dates(facts, today)
    elif facts.month is not None:
        raise DayMissingError("names a month, but no day")
    elif facts.days is not None:
        if abs(facts.days) > _MOST_DAYS:
            raise DayError("is more than a year away")
        yield (today + timedelta(days=facts.days),)
    elif facts.weekday is not None:
        yield from _weekdays(facts, facts.weekday, today)
    elif facts.says("weeks", "year"):
        raise DayError("names no day")
    else:
        yield today, today + timedelta(days=1)


def _calendar_dates(facts: Facts, today: date) -> Dates:
    if facts.year is not None and not today.year - 1 <= facts.year <= today.year + 2:
        raise DayError("is in the past" if facts.year < today.year else "is more than a year away")
    if facts.month is not None:
        months = [(year, facts.month) for year in ([facts.year] if facts.year else range(today.year, today.year + 9))]
    else:
        following = range(today.month - 1, today.month + 2)
        months = [(today.year + number // 12, number % 12 + 1) for number in following]
    days = [day for year, month in months if (day := _valid_date(year, month, facts.day or 0)) is not None]
    days = days if facts.year else [day for day in days if day >= today]
    if not days:
        raise DayError("names a day that doesn't exist")
    return tuple(days[: 1 if facts.month is None else 2])


def _valid_date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _weekdays(facts: Facts, weekday: int, today: date) -> Iterator[Dates]:
    """Yield the days for a weekday. "Next friday" is the coming one, or that of the next week.

    Weeks begin on Monday or Sunday, by country.
    """
    coming = today + timedelta(days=(weekday - today.weekday()) % 7)
    monday = today - timedelta(days=today.weekday())
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    weeks = 1 if facts.is_next else facts.weeks
    if weeks is None:
        yield (coming,) if facts.is_next is False else (coming, coming + timedelta(days=7))
        return
    if abs(weeks) * 7 > _MOST_DAYS:
        raise DayError("is more than a year away")
    in_week = {
        monday + timedelta(weeks=weeks, days=weekday),
        sunday + timedelta(weeks=weeks, days=(weekday + 1) % 7),
    }
    if facts.is_next:
        in_week.add(coming if coming > today else coming + timedelta(days=7))
    elif weeks > 1:
        in_week.add(coming + timedelta(weeks=weeks))
    yield from ((day,) for day in sorted(in_week))


def _is_consistent(facts: Facts, day: date, today: date) -> bool:
    return (
        facts.weekday in (None, day.weekday())
        and facts.year in (None, day.year)
        and (facts.days is None or day == today + timedelta(days=facts.days))
        and (facts.weeks is None or facts.weekday is not None)
    )


def _contradiction(facts: Facts, today: date) -> str:
    [dates, *_] = _named_dates(facts, today)
    if facts.weekday is not None and facts.weekday != dates[0].weekday():
        return f"doesn't add up: {dates[0].day} {dates[0]:%B %Y} is a {dates[0]:%A}"
    return "names two different days"


def _shift_to_night(facts: Facts, dates: Dates) -> Iterator[Dates]:
    """Yield the days, and the days after them for the hours after midnight of a night."""
    yield dates
    if facts.part == "night" and facts.clock is not None and facts.clock < 6 * 3600:
        yield tuple(day + timedelta(days=1) for day in dates)


def fits_part(facts: Facts) -> bool:
    """Return whether the time is in the part of the day that the facts name."""
    return facts.part is None or facts.clock is None or facts.clock // 3600 % 24 in HOURS[facts.part]
