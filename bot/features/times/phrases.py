"""The phrases of a start time: a table of expressions, each with what it says.

A phrase can have several meanings, and several phrases can begin at one place. All are yielded. `grammar` finds the
combinations that use the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from bot.features.times import words
from bot.features.times.clocks import read_clocks, read_ranges
from bot.features.times.facts import Facts
from bot.features.times.spans import read_spans
from bot.features.times.words import any_of
from bot.features.times.zone_names import ABBREVIATIONS, Customs, zones_by_name

Meanings = Iterable[Facts]

_WEEKDAYS = words.index(words.WEEKDAYS)
_MONTHS = words.index(words.MONTHS)
_WEEKDAY = rf"(?P<weekday>{any_of(_WEEKDAYS)})\.?"
_MONTH = rf"(?P<month>{any_of(_MONTHS)})\.?"
_ORDINAL = r"(?:st|nd|rd|th|ter|er|\u00ba|\.(?!\d))"
_DAY = rf"(?P<day>\d{{1,2}})(?:{_ORDINAL}|(?![\d:]))"
_WEEK = rf"(?:la )?{any_of(('week', 'woche', 'semaine', 'semana'))}"
_NEXT_AFTER = any_of(("prochain", "prochaine", "proximo", "proxima", "que viene"))
_PARTS = any_of(*words.PARTS.values())


def _weekday(found: re.Match[str], _customs: Customs) -> Meanings:
    which = found["which"]
    is_next = None if which is None else which not in words.THIS
    yield from (Facts(weekday=weekday, is_next=is_next) for weekday in _WEEKDAYS[found["weekday"]])
    if found["weekday"] == "so" and which is None:
        yield Facts(is_guess=True)


def _weekday_and_day(found: re.Match[str], _customs: Customs) -> Meanings:
    return (Facts(weekday=weekday, day=int(found["day"])) for weekday in _WEEKDAYS[found["weekday"]])


def _date(found: re.Match[str], _customs: Customs) -> Meanings:
    for month in _MONTHS[found["month"]]:
        yield Facts(day=int(found["day"]), month=month + 1)


def _month(found: re.Match[str], _customs: Customs) -> Meanings:
    return (Facts(month=month + 1) for month in _MONTHS[found["month"]])


def _iso_date(found: re.Match[str], _customs: Customs) -> Meanings:
    yield Facts(year=int(found["year"]), month=int(found["month"]), day=int(found["day"]))


def _iso_time(found: re.Match[str], _customs: Customs) -> Meanings:
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    offset = _offset_of(found)
    if (hour < 24 or (hour, minute, second) == (24, 0, 0)) and (offset is None) == (not found["offset"]):
        at = Facts(clock=hour * 3600 + minute * 60 + second, offset=offset)
        yield Facts(year=int(found["year"]), month=int(found["month"]), day=int(found["day"])).merge(at) or at


def _numeric_date(found: re.Match[str], customs: Customs) -> Meanings:
    first, second, sign = int(found["first"]), int(found["second"]), found["sign"]
    year = int(found["year"]) if found["year"] else None
    year = year + 2000 if year is not None and year < 100 else year
    orders = [(first, second), (second, first)]
    if sign == "." and not customs.both_orders:
        orders = orders[:1]
    if customs.month_first:
        orders.reverse()
    dates = dict.fromkeys((day, month) for day, month in orders if 1 <= month <= 12 and 1 <= day <= 31)
    for day, month in dates:
        yield Facts(day=day, month=month, year=year, is_guess=len(dates) > 1 or (sign == "-" and not year) or None)


def _relative_day(found: re.Match[str], _customs: Customs) -> Meanings:
    return (Facts(days=days) for days, names in words.DAYS.items() if found[0] in names)


def _day(found: re.Match[str], _customs: Customs) -> Meanings:
    yield Facts(day=int(found["day"]))


def _year(found: re.Match[str], _customs: Customs) -> Meanings:
    yield Facts(year=int(found["year"]))


def _timestamp(found: re.Match[str], _customs: Customs) -> Meanings:
    yield Facts(timestamp=int(found["timestamp"]))


def _tonight(_found: re.Match[str], _customs: Customs) -> Meanings:
    yield Facts(days=0, part="night")


def _this_week(_found: re.Match[str], _customs: Customs) -> Meanings:
    yield Facts(weeks=0)


def _next_week(_found: re.Match[str], _customs: Customs) -> Meanings:
    yield Facts(weeks=1)


def _part(found: re.Match[str], _customs: Customs) -> Meanings:
    today = 0 if found["this"] else None
    return (Facts(part=part, days=today) for part, names in words.PARTS.items() if found["part"] in names)


def _offset(found: re.Match[str], _customs: Customs) -> Meanings:
    if (offset := _offset_of(found)) is not None:
        yield Facts(offset=offset)


def _offset_of(found: re.Match[str]) -> timedelta | None:
    if not found["offset"]:
        return None
    digits = found["offset"].lstrip("utcgmz +-").replace(":", "") or "0"
    hours, minutes = (int(digits), 0) if len(digits) < 3 else (int(digits[:-2]), int(digits[-2:]))
    size = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or size > timedelta(hours=14):
        return None
    return -size if "-" in found["offset"] else size


_EXACT: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Customs], Meanings]], ...] = tuple(
    (re.compile(expression), meaning)
    for expression, meaning in (
        (r"<t:(?P<timestamp>\d{1,11})(?::[a-z])?>", _timestamp),
        (r"(?P<timestamp>\d{10})(?!\d)", _timestamp),
        (
            r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[t ] ?(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)"
            r"(?::(?P<second>[0-5]\d))?(?P<offset> ?z(?![a-z])| ?\+\d\d:?\d\d|-\d\d:?\d\d)?(?![\d:.]| ?[ap]\.?m)",
            _iso_time,
        ),
        (r"(?P<year>\d{4})(?P<sign>[-/.])(?P<month>\d{1,2})(?P=sign)(?P<day>\d{1,2})(?!\d)", _iso_date),
    )
)
"""Phrases with one meaning. Where one fits, no other is tried."""

_OPEN: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Customs], Meanings]], ...] = tuple(
    (re.compile(expression), meaning)
    for expression, meaning in (
        (rf"(?:(?P<which>{any_of(words.NEXT, words.THIS)}) )?{_WEEKDAY}", _weekday),
        (rf"{_WEEKDAY} (?P<which>{_NEXT_AFTER})", _weekday),
        (rf"{_WEEKDAY},? (?:the |den |le |el )?{_DAY}", _weekday_and_day),
        (rf"{_MONTH} ?(?:the )?{_DAY}", _date),
        (rf"{_DAY} ?(?:of |de |of the )?{_MONTH}", _date),
        (_MONTH, _month),
        (rf"(?:the |le |el |den |am )(?P<day>\d{{1,2}}){_ORDINAL}?(?![\da-z:])", _day),
        (rf"(?P<day>\d{{1,2}}){_ORDINAL}(?![\da-z:])", _day),
        (r"(?P<year>20\d\d)(?![\d:.]|h)", _year),
        (
            r"(?P<first>\d{1,2})(?P<sign>[-/.])(?P<second>\d{1,2})(?:(?P=sign)(?P<year>\d{4}|\d\d)|\.)?(?![\d:])",
            _numeric_date,
        ),
        (any_of(*words.DAYS.values()), _relative_day),
        (any_of(words.TONIGHT), _tonight),
        (rf"(?P<this>this |heute |hoy |esta )?(?:in the )?(?P<part>{_PARTS})", _part),
        (rf"(?P<which>{any_of(words.NEXT)}) {_WEEK}|{_WEEK} {_NEXT_AFTER}", _next_week),
        (rf"(?:this|diese|cette|esta) {_WEEK}", _this_week),
        (
            r"(?P<offset>(?:utc|gmt) ?[+-] ?\d{1,2}(?::?\d\d)?(?![\d:])|[+-]\d\d:?\d\d(?![\d:])|(?:utc|z)(?![a-z]))",
            _offset,
        ),
    )
)
_FILLER = re.compile(rf"[,;.!?()'\"]|- |(?:{any_of(words.FILLERS)})|am (?=(?:{any_of(_WEEKDAYS)})|\d{{1,2}}\.)|@")
_IN = re.compile(r"(?:in|dans|en) |\+ ?")
_FROM_NOW = re.compile(r" ?(?:from now|from today|later)(?![a-z])")
_FOR = re.compile(r"(?:for|fur|pour|durante|por|lasting) ")
_NAME = re.compile(r"[a-z][a-z/_'.-]*(?: [a-z][a-z/_'.-]*){0,3}")


def read_phrases(text: str, start: int, customs: Customs) -> Iterator[tuple[int, Facts]]:
    """Yield the end and the meaning of each phrase that begins at `start`."""
    for expression, meaning in _EXACT:
        if found := expression.match(text, start):
            yield from ((found.end(), facts) for facts in meaning(found, customs))
            return
    yield from read_ranges(text, start, customs)
    yield from read_clocks(text, start, customs)
    for expression, meaning in _OPEN:
        if found := expression.match(text, start):
            yield from ((found.end(), facts) for facts in meaning(found, customs))
    yield from _read_spans(text, start)
    yield from _read_zones(text, start)
    if found := _FILLER.match(text, start):
        yield found.end(), Facts()


def _read_spans(text: str, start: int) -> Iterator[tuple[int, Facts]]:
    if found := _FOR.match(text, start):
        yield from ((end, Facts(length=span)) for span, end, _unit in read_spans(text, found.end()))
    found = _IN.match(text, start)
    for span, end, unit in read_spans(text, found.end() if found else start):
        after = None if found else _FROM_NOW.match(text, end)
        for facts in _from_now(span, unit):
            is_sure = found is not None or after is not None
            yield (after.end() if after else end), facts if is_sure else facts.merge(Facts(is_guess=True)) or facts


def _from_now(span: timedelta, unit: str) -> Iterator[Facts]:
    """Yield what a span from now says. Hours are elapsed time, and days are days of the calendar."""
    if unit not in ("day", "week") or span % timedelta(days=1):
        yield Facts(span=span)
        return
    yield Facts(days=span.days)
    if unit == "week" and span.days % 7 == 0:
        yield Facts(weeks=span.days // 7)


def _read_zones(text: str, start: int) -> Iterator[tuple[int, Facts]]:
    """Yield the zones whose name begins here. The longest name counts."""
    start += len("in ") if text.startswith("in ", start) else 0
    found = _NAME.match(text, start)
    name = found[0].rstrip(".") if found else ""
    while name:
        end = start + len(name)
        known = name.replace("_", " ")
        zones, offset = ABBREVIATIONS.get(known, (zones_by_name().get(known, ()), None))
        if zones:
            end += len(" time") if text.startswith(" time", end) else 0
            yield from ((end, Facts(zone=zone)) for zone in zones)
            if offset is not None:
                yield end, Facts(offset=timedelta(hours=offset))
            return
        name = name.rpartition(" ")[0]
