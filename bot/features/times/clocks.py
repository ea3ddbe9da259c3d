"""Reads times of day, and ranges such as "8-11pm"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.features.times import words
from bot.features.times.facts import Facts
from bot.features.times.words import any_of
from bot.features.times.zone_names import Customs

_DAY = 86_400
_HALF_DAY = _DAY // 2
_MERIDIEM = r"(?: ?(?P<meridiem>[ap])\.? ?m(?![a-z])\.?|(?P<letter>[ap])(?![a-z.]))?"
_UNIT = r"(?: ?(?:uhr|h|heures?|horas|o'?clock)(?![a-z]))?"
_UNIT_AFTER_MINUTES = r"(?: ?(?:hours|hrs|h|uhr)(?![a-z]))?"
_BEFORE_MONTH = re.compile(rf" ?(?:of |de )?(?:{any_of(words.index(words.MONTHS))})")
_HOUR = r"(?P<hour>\d{1,2})"
_CLOCKS = tuple(
    re.compile(expression)
    for expression in (
        rf"{_HOUR}(?:[:.](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?)?{_UNIT}{_MERIDIEM}(?![\d:a-z/]|\.\d)",
        rf"{_HOUR} ?(?:h|uhr|u) ?(?P<minute>[0-5]\d)(?![\d:a-z])",
        rf"{_HOUR}(?P<minute>[0-5]\d){_UNIT_AFTER_MINUTES}{_MERIDIEM}(?![\d:a-z/.-])",
        rf"(?P<fraction>half|quarter) (?P<side>past|to|after|before) {_HOUR}{_MERIDIEM}(?![\d:a-z])",
    )
)
_NOON = re.compile(rf"(?:12 ?)?(?:{any_of(words.NOON)})")
_MIDNIGHT = re.compile(rf"(?:12 ?)?(?:{any_of(words.MIDNIGHT)})")
_DATE_LIKE = re.compile(r"(?:[012]?\d|3[01])\.(?:0[1-9]|1[0-2])")
_TO = re.compile(r" ?(?:-|(?:to|til|till|until|bis|a|hasta|jusqu'a)(?![a-z])) ?")
_AND = re.compile(r" (?:and|und|et|y) ")
_BETWEEN = re.compile(r"(?:between|zwischen|entre) ")


def read_clocks(text: str, start: int, customs: Customs) -> Iterator[tuple[int, Facts]]:
    """Yield the end and the meaning of each time of day that begins at `start`, the evening first."""
    if found := _NOON.match(text, start):
        yield found.end(), Facts(clock=_HALF_DAY)
    if found := _MIDNIGHT.match(text, start):
        yield found.end(), Facts(clock=_DAY)
        yield found.end(), Facts(clock=0)
    for expression in _CLOCKS:
        found = expression.match(text, start)
        if found and not (found[0].isdigit() and _BEFORE_MONTH.match(text, found.end())):
            is_guess = _DATE_LIKE.fullmatch(found[0]) is not None or None
            yield from ((found.end(), Facts(clock=clock, is_guess=is_guess)) for clock in _clocks(found, customs))


def read_ranges(text: str, start: int, customs: Customs) -> Iterator[tuple[int, Facts]]:
    """Yield each range that begins at `start`.

    In "8-11pm" the first hour is unclear, so of its meanings that count which give at most twelve hours.
    """
    between = _BETWEEN.match(text, start)
    begins = list(read_clocks(text, between.end() if between else start, customs))
    for middle in dict.fromkeys(end for end, _facts in begins):
        if not (to := (_AND if between else _TO).match(text, middle)):
            continue
        ends = list(read_clocks(text, to.end(), customs))
        first = [facts.clock or 0 for end, facts in begins if end == middle]
        for last in dict.fromkeys(end for end, _facts in ends):
            second = [facts.clock or 0 for end, facts in ends if end == last]
            is_clear = len({clock % _DAY for clock in first}) == len({clock % _DAY for clock in second}) == 1
            for clock in first:
                for until in dict.fromkeys((other - clock) % _DAY for other in second):
                    if until and (is_clear or until <= _HALF_DAY):
                        yield last, Facts(clock=clock, until=until)


def _clocks(found: re.Match[str], customs: Customs) -> Iterator[int]:
    groups: dict[str, str] = {name: value or "" for name, value in found.groupdict().items()}
    hour, minute, second = (int(groups.get(name) or 0) for name in ("hour", "minute", "second"))
    past_hour = minute * 60 + second
    if fraction := groups.get("fraction"):
        past_hour = (1800 if fraction == "half" else 900) * (1 if groups["side"] in ("past", "after") else -1)
    meridiem = groups.get("meridiem") or groups.get("letter")
    if meridiem:
        yield from _twelve_hours(hour, meridiem, past_hour)
        return
    if hour > 24 or (hour == 24 and past_hour):
        return
    is_written_out = bool(groups.get("minute")) and (hour >= 10 or groups["hour"][0] == "0")
    if hour > 12 or hour == 0 or (is_written_out and not customs.twelve_hours):
        yield hour * 3600 + past_hour
        return
    for clock in (hour % 12 + 12, hour % 12):
        yield (clock * 3600 + past_hour) % _DAY


def _twelve_hours(hour: int, meridiem: str, past_hour: int) -> Iterator[int]:
    """Yield the clock for "8 pm". "20:00 pm" is fine, and "12 am" is the start or the end of a day."""
    if 1 <= hour <= 12:
        clock = (hour % 12 + (12 if meridiem == "p" else 0)) * 3600 + past_hour
        yield clock % _DAY
        if clock == 0:
            yield _DAY
    elif (meridiem == "p" and 13 <= hour < 24) or (meridiem == "a" and hour == 0):
        yield hour * 3600 + past_hour
