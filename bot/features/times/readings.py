"""Finds what a text means as a start, with every reading that people could have in mind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from bot.features.times.calendar import DayError, DayMissingError, around_gap, at_clock, find_dates, fits_part, instants
from bot.features.times.facts import Facts
from bot.features.times.grammar import read
from bot.features.times.normalize import normalize
from bot.features.times.spans import LONGEST, SHORTEST
from bot.features.times.zone_names import Customs

FURTHEST = timedelta(days=366)
LONGEST_TEXT = 200
_LIKELY_PAST = timedelta(days=335)
"""A date this far ahead without a year more likely means one that has just passed."""
_USUAL_START = 20 * 3600
"""Suggested for a day without a time."""
_UNKNOWN = "isn't a time that I know"
_DATE = ("days", "weeks", "weekday", "day", "month", "year")


@dataclass(frozen=True)
class StartTime:
    """When a game starts, in UTC, and how long it lasts if the text says so."""

    at: datetime
    duration: timedelta | None = None


@dataclass(frozen=True)
class Readings:
    """The readings of a text. It is clear if there is one and nothing speaks against it."""

    times: tuple[StartTime, ...] = ()
    is_clear: bool = False
    why: str = ""
    """Why it is not clear, as the end of a sentence that begins with the text."""


@dataclass(frozen=True)
class _Problem:
    """Why a meaning gives no time that counts. Of several problems, the one with the highest rank is shown."""

    rank: int
    why: str
    instead: tuple[StartTime, ...] = ()


def find_readings(text: str, *, zone: str, now: datetime, customs: Customs) -> Readings:
    """Return the readings of a text, with local times in `zone`. It takes well below 10 ms."""
    if len(text) > LONGEST_TEXT:
        return Readings(why="is too long for a time")
    normalized = normalize(text)
    if not normalized:
        return Readings(why="is empty")
    meanings = read(normalized, customs)
    if not meanings.all:
        rest = normalized[meanings.unread :]
        return Readings(why=f"has a part that I can't read: “{rest}”" if meanings.unread and rest else _UNKNOWN)
    now = now.astimezone(UTC).replace(microsecond=0)
    sure: dict[StartTime, bool] = {}
    problems: list[_Problem] = []
    for facts in meanings.all:
        for result in _resolve(facts, zone=ZoneInfo(zone), now=now):
            if isinstance(result, _Problem):
                problems.append(result)
            else:
                sure[result] = sure.get(result, False) or not facts.is_guess
    return _judge(sure, problems, now=now)


def _judge(sure: dict[StartTime, bool], problems: list[_Problem], *, now: datetime) -> Readings:
    times = tuple(sure)
    worst = max(problems, key=lambda problem: problem.rank, default=_Problem(0, _UNKNOWN))
    if not times:
        instead = dict.fromkeys(time for problem in problems if problem.rank == worst.rank for time in problem.instead)
        return Readings(tuple(time for time in instead if now < time.at <= now + FURTHEST), why=worst.why)
    is_complete = not any(problem.rank in (_NO_DAY, _NO_TIME, _GAP) for problem in problems)
    is_clear = len(times) == 1 and all(sure.values()) and is_complete
    return Readings(times, is_clear, "can mean several times" if len(times) > 1 else "isn't quite clear")


_CONTRADICTION, _NO_DAY, _NO_TIME, _LENGTH, _PAST, _FAR, _GAP = range(1, 8)


def _resolve(facts: Facts, *, zone: tzinfo, now: datetime) -> Iterator[StartTime | _Problem]:
    """Yield the times that the facts mean, or why they mean none. Facts that can't belong together yield nothing."""
    if facts.timestamp is not None or facts.span is not None:
        if facts.says("timestamp") != facts.says("span") and not facts.says(*_DATE, "part", "clock", "zone", "offset"):
            yield _elapsed(facts, now=now)
        return
    if facts.zone is not None and facts.offset is not None:
        return
    where: tzinfo = ZoneInfo(facts.zone) if facts.zone else timezone(facts.offset) if facts.offset is not None else zone
    if not fits_part(facts):
        yield _Problem(_CONTRADICTION, f"doesn't add up: {facts.part} and the time differ")
        return
    if facts.clock is None:
        if facts.says(*_DATE, "part"):
            yield from _without_time(facts, where=where, now=now)
        return
    todays = {now.astimezone(where).date()} | ({now.astimezone(zone).date()} if facts.days is not None else set())
    for today in sorted(todays):
        yield from _on_days(facts, today, where=where, now=now)


def _elapsed(facts: Facts, *, now: datetime) -> StartTime | _Problem:
    try:
        at = (
            now + (facts.span or timedelta())
            if facts.timestamp is None
            else datetime.fromtimestamp(facts.timestamp, UTC)
        )
    except (OverflowError, ValueError, OSError):
        return _Problem(_FAR, "is more than a year away")
    return _check(StartTime(at, facts.length), facts, now=now)


def _without_time(facts: Facts, *, where: tzinfo, now: datetime) -> Iterator[_Problem]:
    hours = {"morning": 10 * 3600, "afternoon": 15 * 3600}
    usual = replace(facts, clock=hours.get(facts.part or "", _USUAL_START))
    results = list(_resolve(usual, zone=where, now=now))
    problems = [result for result in results if isinstance(result, _Problem) and result.rank != _PAST]
    times = tuple(result for result in results if isinstance(result, StartTime))
    yield from problems if not times and problems else [_Problem(_NO_TIME, "needs a time of day", times)]


def _on_days(facts: Facts, today: date, *, where: tzinfo, now: datetime) -> Iterator[StartTime | _Problem]:
    try:
        readings = find_dates(facts, today)
    except DayError as error:
        yield _Problem(_NO_DAY if isinstance(error, DayMissingError) else _CONTRADICTION, str(error))
        return
    for dates in readings:
        locals_ = [at_clock(day, facts.clock or 0) for day in dates]
        ahead = [local for local in locals_ if around_gap(local, where)[-1] > now]
        local = ahead[0] if ahead else locals_[-1]
        exact = instants(local, where)
        if not exact:
            sides = tuple(StartTime(at, _duration(facts, at, where)) for at in around_gap(local, where))
            yield _Problem(_GAP, f"doesn't exist: the clocks skip {local:%H:%M} on that day", sides)
        for at in exact:
            yield _check(StartTime(at, _duration(facts, at, where)), facts, now=now)


def _duration(facts: Facts, at: datetime, where: tzinfo) -> timedelta | None:
    """Return how long the game lasts, for a range until its end by the clock."""
    if facts.until is None:
        return facts.length
    end = at.astimezone(where).replace(tzinfo=None) + timedelta(seconds=facts.until)
    return around_gap(end, where)[-1] - at


def _check(time: StartTime, facts: Facts, *, now: datetime) -> StartTime | _Problem:
    if time.at <= now:
        return _Problem(_PAST, "is in the past")
    if time.at - now > FURTHEST:
        return _Problem(_FAR, "is more than a year away")
    if facts.month is not None and facts.year is None and time.at - now > _LIKELY_PAST:
        return _Problem(_FAR, "has just passed", (time,))
    if time.duration is not None and not SHORTEST <= time.duration <= LONGEST:
        return _Problem(_LENGTH, "lasts too long or too short, as a game lasts 10 seconds to 7 days")
    return time
