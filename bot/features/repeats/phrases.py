"""Reads how a game repeats, as its host writes it: "every 2 weeks on friday, 10 times".

What the text leaves out comes from the first start: "weekly" repeats its weekday, and "monthly" its date.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime
from itertools import islice

from bot.features.errors import UserError
from bot.features.times import parse_date
from bot.features.times.normalize import normalize
from bot.features.times.words import WEEKDAYS, any_of, index
from bot.rendering.escaping import escape
from shared.series.rule import Frequency, Rule, format_ordinal

EXAMPLES = ("every friday", "every 2 weeks", "daily", "monthly on the 15th", "every month on the first friday")

_LONGEST_INTERVALS = {Frequency.DAILY: 90, Frequency.WEEKLY: 26, Frequency.MONTHLY: 12}
_MOST_TIMES = 500
_IN_EACH_MONTH = 28
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": -1}
_DAY_NUMBERS = {word: numbers[0] for word, numbers in index(WEEKDAYS).items() if len(numbers) == 1}
_GROUPS = {
    **dict.fromkeys(("weekday", "weekdays", "workday", "workdays"), (0, 1, 2, 3, 4)),
    **dict.fromkeys(("weekend", "weekends"), (5, 6)),
}
_ONCE = {"", "once", "none", "never", "no"}
_WORK_DAYS_EXPLAINED = " (Monday to Friday)"
_DAY = any_of(_DAY_NUMBERS, _GROUPS)
_DAYS = rf"(?P<days>{_DAY}(?:[ ,&]+(?:and )?{_DAY})*)"
_PLURALS = any_of(word for word in (*_DAY_NUMBERS, *_GROUPS) if word.endswith("days") or word == "weekends")
_ORDINAL = any_of(_ORDINALS)
_MONTH_DAY = r"(?:(?P<date>\d{1,2})(?:st|nd|rd|th|\.)?(?: day)?|(?P<last>last)(?: day)?)(?: of the month)?"
_NTH = rf"(?P<nth>{_ORDINAL}) (?P<nth_day>{_DAY})"

_COUNT = re.compile(r"(?:^|[, ])(?:(?P<count>\d{1,6}) (?:times|time|games|sessions|occurrences)|(?P<twice>twice))$")
_UNTIL = re.compile(r"(?:^|[, ])(?:until|till|til|through|ending(?: on)?) (?P<until>.+)$")
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?P<daily>daily|(?:every|each) ?day)",
        r"(?:every|each) (?P<days_apart>other|\d+)(?:st|nd|rd|th)? days?",
        rf"(?P<weekly>weekly|(?:every|each) week)(?: on)?(?: {_DAYS})?",
        rf"(?P<fortnightly>biweekly|bi-weekly|fortnightly|(?:every|each) fortnight)(?: on)?(?: {_DAYS})?",
        rf"(?:every|each) (?P<weeks_apart>other|\d+)(?:st|nd|rd|th)? weeks?(?: on)?(?: {_DAYS})?",
        rf"(?:every|each|weekly on) {_DAYS}",
        rf"(?:on )?(?P<days>{_PLURALS}(?:[ ,&]+(?:and )?{_PLURALS})*)",
        rf"(?:every|each) (?P<other_week>other) {_DAYS}",
        rf"(?:monthly|(?:every|each)(?: (?P<months_apart>other|\d+)(?:nd|rd|th)?)? months?)"
        rf"(?: on)?(?: the)?(?: (?:{_NTH}|{_MONTH_DAY}))?",
        rf"(?:every |each |the |on the )?(?:{_NTH})(?: of (?:every|each|the)? ?month| (?:every|each) month| monthly)",
        rf"(?:the |on the )?{_MONTH_DAY} (?:of )?(?:every|each) month",
    )
)


def is_once(text: str) -> bool:
    """Return whether a text says that a game does not repeat, which one can say in spite of a template."""
    return normalize(text).strip(" .!") in _ONCE


def format_repeat(rule: Rule) -> str:
    """Return a text that is read as the same rule, without its last day, for games that start another time."""
    return replace(rule, until=None).describe().replace(_WORK_DAYS_EXPLAINED, "")


def parse_repeat(text: str, *, start: datetime) -> Rule:
    """Return the rule that a text means for a game whose first start has this local time.

    Raises:
        UserError: it is none, or the first start does not fit it.
    """
    rule = read_repeat(text, start=start)
    first = next(replace(rule, until=None, count=None).local_times(start))
    if first != start:
        raise UserError(
            f"The first game is on {start:%A}, {start.day} {start:%B %Y}, but “{rule.describe()}” leaves that day out. "
            f"For the first day that fits, enter `{first:%Y-%m-%d %H:%M}` as `when`."
        )
    if len(list(islice(rule.local_times(start), 2))) < 2:
        raise UserError("The series would end with its first game. Enter a later last day, or leave `repeat` out.")
    return rule


def read_repeat(text: str, *, start: datetime) -> Rule:
    """Return the rule that a text means. The first start need not fit it.

    Raises:
        UserError: it is none, goes beyond a limit, or names a last day that is unclear.
    """
    rest, count, until = _split_end(normalize(text), start=start)
    for form in _FORMS:
        if (match := form.fullmatch(rest)) is not None and (rule := _make_rule(match, start=start)) is not None:
            return replace(_within_limits(rule, count), count=count, until=until)
    *most, last = (f"`{example}`" for example in EXAMPLES)
    raise UserError(
        f"“{escape(text, limit=80)}” isn't a way to repeat that I know. Try {', '.join(most)} or {last}. "
        "It can end: `weekly, 10 times` or `weekly until 1 June`."
    )


def _split_end(text: str, *, start: datetime) -> tuple[str, int | None, date | None]:
    text = text.strip(" .,!").removeprefix("repeat ").removeprefix("repeats ")
    if (match := _COUNT.search(text)) is not None:
        return text[: match.start()].rstrip(" ,").removesuffix(" for"), int(match["count"] or 2), None
    if (match := _UNTIL.search(text)) is not None:
        return text[: match.start()].rstrip(" ,"), None, parse_date(match["until"], after=start.date())
    return text, None, None


def _make_rule(match: re.Match[str], *, start: datetime) -> Rule | None:
    found = match.groupdict()
    if found.get("daily") or found.get("days_apart"):
        return Rule(frequency=Frequency.DAILY, interval=_interval(found.get("days_apart")))
    if any(name in found for name in ("nth", "date")):
        return _make_monthly(found, start=start)
    days = _read_days(found.get("days")) or (start.weekday(),)
    is_second = found.get("fortnightly") or found.get("other_week")
    interval = 2 if is_second else _interval(found.get("weeks_apart"))
    return Rule(frequency=Frequency.WEEKLY, interval=interval, weekdays=days)


def _make_monthly(found: dict[str, str | None], *, start: datetime) -> Rule | None:
    interval = _interval(found.get("months_apart"))
    if nth := found.get("nth"):
        days = _read_days(found.get("nth_day"))
        if len(days) != 1:
            return None
        return Rule(frequency=Frequency.MONTHLY, interval=interval, nth=_ORDINALS[nth], weekdays=days)
    day = -1 if found.get("last") else int(found.get("date") or start.day)
    return Rule(frequency=Frequency.MONTHLY, interval=interval, month_day=day) if day in (*range(1, 32), -1) else None


def _interval(text: str | None) -> int:
    return 2 if text == "other" else int(text or 1)


def _read_days(text: str | None) -> tuple[int, ...]:
    days: set[int] = set()
    for word in re.findall(r"[a-z]+", text or ""):
        days.update(_GROUPS.get(word, (_DAY_NUMBERS[word],) if word in _DAY_NUMBERS else ()))
    return tuple(sorted(days))


def _within_limits(rule: Rule, count: int | None) -> Rule:
    longest = _LONGEST_INTERVALS[rule.frequency]
    if not 1 <= rule.interval <= longest:
        unit = {Frequency.DAILY: "days", Frequency.WEEKLY: "weeks", Frequency.MONTHLY: "months"}[rule.frequency]
        raise UserError(f"A game can repeat every 1 to {longest} {unit}. Enter a number in that range.")
    if rule.interval > 1 and (rule.month_day or 0) > _IN_EACH_MONTH:
        day = format_ordinal(rule.month_day or 0)
        raise UserError(f"Some of these months have no {day}. Enter `every {rule.interval} months on the last day`.")
    if count is not None and not 2 <= count <= _MOST_TIMES:
        raise UserError(f"A series has 2 to {_MOST_TIMES} games. Enter a number in that range, or leave it out.")
    return rule
