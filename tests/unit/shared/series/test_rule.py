"""The dates of a rule, against a model that walks the calendar day by day."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.series.planning import ClockChange, Plan, find_clock_change, plan_occurrences, resolve
from shared.series.rule import Frequency, Rule, format_ordinal

START = datetime.fromisoformat("2026-12-04T20:00")  # a Friday
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "UTC")
DAYS = 1500
"""How far the model looks."""


def model_days(rule: Rule, start: datetime) -> list[date]:
    """The days of a rule, found by asking of each day whether it belongs."""
    days: list[date] = []
    for number in range(DAYS):
        day = start.date() + timedelta(days=number)
        if rule.until is not None and day > rule.until:
            break
        if belongs(rule, day, start.date()):
            days.append(day)
        if len(days) == rule.count:
            break
    return days


def belongs(rule: Rule, day: date, first: date) -> bool:
    if rule.frequency is Frequency.DAILY:
        return (day - first).days % rule.interval == 0
    if rule.frequency is Frequency.WEEKLY:
        weeks = ((day - timedelta(days=day.weekday())) - (first - timedelta(days=first.weekday()))).days // 7
        return day.weekday() in rule.weekdays and weeks % rule.interval == 0
    months = (day.year - first.year) * 12 + day.month - first.month
    if months % rule.interval:
        return False
    length = calendar.monthrange(day.year, day.month)[1]
    if rule.month_day is not None:
        return day.day == (length if rule.month_day < 0 else rule.month_day)
    same = [
        number for number in range(1, length + 1) if date(day.year, day.month, number).weekday() == rule.weekdays[0]
    ]
    assert rule.nth is not None
    return day.day == same[rule.nth - 1 if rule.nth > 0 else rule.nth]


starts = st.datetimes(datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2030-01-01")).map(
    lambda local: local.replace(second=0, microsecond=0)
)
ends = st.fixed_dictionaries(
    {},
    optional={"count": st.integers(1, 30), "until": st.dates(min_value=date(2020, 1, 1), max_value=date(2034, 1, 1))},
).filter(lambda end: len(end) < 2)
daily = st.fixed_dictionaries({"frequency": st.just(Frequency.DAILY), "interval": st.integers(1, 40)})
weekly = st.fixed_dictionaries(
    {
        "frequency": st.just(Frequency.WEEKLY),
        "interval": st.integers(1, 6),
        "weekdays": st.sets(st.integers(0, 6), min_size=1).map(sorted).map(tuple),
    }
)
by_date = st.fixed_dictionaries(
    {
        "frequency": st.just(Frequency.MONTHLY),
        "interval": st.integers(1, 4),
        "month_day": st.sampled_from([*range(1, 32), -1]),
    }
)
by_weekday = st.fixed_dictionaries(
    {
        "frequency": st.just(Frequency.MONTHLY),
        "interval": st.integers(1, 4),
        "nth": st.sampled_from((1, 2, 3, 4, -1)),
        "weekdays": st.integers(0, 6).map(lambda day: (day,)),
    }
)
rules = st.builds(lambda days, end: Rule(**days, **end), daily | weekly | by_date | by_weekday, ends)


@settings(deadline=None)  # a busy machine
@given(rule=rules, start=starts)
def test_the_dates_are_those_of_the_calendar(rule: Rule, start: datetime) -> None:
    expected = [datetime.combine(day, start.time()) for day in model_days(rule, start)][:25]
    assert list(islice(rule.local_times(start), len(expected))) == expected


@settings(deadline=None)
@given(rule=rules, start=starts, number=st.integers(0, 12))
def test_the_dates_go_on_after_any_of_them(rule: Rule, start: datetime, number: int) -> None:
    all_of_them = list(islice(rule.local_times(start), number + 5))
    if len(all_of_them) > number:
        after = list(islice(rule.local_times(start, after=all_of_them[number]), 4))
        assert after == all_of_them[number + 1 :]


@given(rule=rules)
def test_a_rule_is_read_as_it_was_written(rule: Rule) -> None:
    assert Rule.parse(str(rule)) == rule


@settings(deadline=None)
@given(
    rule=rules,
    start=starts,
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    age=st.integers(-3, 400),
    wanted=st.integers(0, 4),
    left_out=st.sets(st.integers(0, 12)),
)
def test_a_plan_accounts_for_each_date_once_and_opens_only_future_ones(
    rule: Rule, start: datetime, zone: ZoneInfo, age: int, wanted: int, left_out: set[int]
) -> None:
    now = resolve(start, zone) + timedelta(days=age, minutes=7)
    model = [datetime.combine(day, start.time()) for day in model_days(rule, start) if day < date(2034, 1, 1)]
    skipped = {local for number, local in enumerate(model) if number in left_out}
    plan = plan_occurrences(rule, start=start, zone=zone, after=None, now=now, wanted=wanted, left_out=skipped)
    wished = [local for local in model if local not in skipped]
    assert list(plan.missed) == [local for local in wished if resolve(local, zone) <= now]
    future = [local for local in wished if resolve(local, zone) > now]
    if len(future) > wanted:  # the model ends, and a rule may not
        assert list(plan.opened) == future[:wanted]
        assert not plan.is_complete


@pytest.mark.parametrize("zone", ZONES)
def test_eight_pm_stays_eight_pm_all_year(zone: str) -> None:
    rule = Rule(frequency=Frequency.DAILY, count=800)
    shown = {resolve(local, ZoneInfo(zone)).astimezone(ZoneInfo(zone)).time() for local in rule.local_times(START)}
    assert shown == {START.time()}


@pytest.mark.parametrize(
    ("zone", "local", "change", "shown", "utc"),
    [
        ("Europe/Berlin", "2027-03-28 02:30", ClockChange.SKIPPED, "03:30", "2027-03-28 01:30"),
        ("Europe/Berlin", "2027-10-31 02:30", ClockChange.REPEATED, "02:30", "2027-10-31 00:30"),
        ("Europe/Berlin", "2027-03-28 03:00", None, "03:00", "2027-03-28 01:00"),
        ("Europe/Berlin", "2027-10-31 03:00", None, "03:00", "2027-10-31 02:00"),
        ("America/New_York", "2027-03-14 02:00", ClockChange.SKIPPED, "03:00", "2027-03-14 07:00"),
        ("America/New_York", "2027-11-07 01:59", ClockChange.REPEATED, "01:59", "2027-11-07 05:59"),
        ("Australia/Lord_Howe", "2027-10-03 02:15", ClockChange.SKIPPED, "02:45", "2027-10-02 15:45"),
        ("Australia/Lord_Howe", "2027-10-03 02:30", None, "02:30", "2027-10-02 15:30"),
        ("Australia/Lord_Howe", "2027-04-04 01:45", ClockChange.REPEATED, "01:45", "2027-04-03 14:45"),
        ("Pacific/Apia", "2011-12-30 20:00", ClockChange.SKIPPED, "20:00", "2011-12-31 06:00"),
    ],
)
def test_a_time_that_the_clocks_skip_or_repeat_has_one_instant(
    zone: str, local: str, change: ClockChange | None, shown: str, utc: str
) -> None:
    where, at = ZoneInfo(zone), datetime.fromisoformat(local)
    assert find_clock_change(at, where) is change
    assert f"{resolve(at, where).astimezone(where):%H:%M}" == shown
    assert resolve(at, where) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_a_month_of_absence_is_missed_and_the_next_future_date_is_opened() -> None:
    rule = Rule(frequency=Frequency.WEEKLY, weekdays=(4,))
    now = datetime(2027, 1, 6, tzinfo=UTC)
    plan = plan_occurrences(rule, start=START, zone=ZoneInfo("Europe/Berlin"), after=START, now=now, wanted=1)
    fridays = [START + timedelta(weeks=number) for number in range(1, 6)]
    assert plan == Plan(opened=(fridays[4],), missed=tuple(fridays[:4]))


def test_a_rule_that_is_over_says_so() -> None:
    rule = Rule(frequency=Frequency.WEEKLY, weekdays=(4,), count=2)
    now = datetime(2026, 12, 1, tzinfo=UTC)
    plan = plan_occurrences(rule, start=START, zone=ZoneInfo("UTC"), after=START, now=now, wanted=3)
    assert plan == Plan(opened=(START + timedelta(weeks=1),), is_complete=True)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(frequency=Frequency.DAILY), "Every day"),
        (Rule(frequency=Frequency.DAILY, interval=3), "Every 3 days"),
        (Rule(frequency=Frequency.WEEKLY, weekdays=(4,)), "Every Friday"),
        (Rule(frequency=Frequency.WEEKLY, weekdays=(0, 1, 2, 3, 4)), "Every weekday (Monday to Friday)"),
        (Rule(frequency=Frequency.WEEKLY, weekdays=(1, 3), count=10), "Every Tuesday and Thursday, 10 times"),
        (
            Rule(frequency=Frequency.WEEKLY, interval=2, weekdays=(4,), until=date(2027, 6, 1)),
            "Every 2 weeks on Friday, until 1 June 2027",
        ),
        (Rule(frequency=Frequency.MONTHLY, month_day=22), "Every month on the 22nd"),
        (Rule(frequency=Frequency.MONTHLY, month_day=-1), "Every month on the last day"),
        (Rule(frequency=Frequency.MONTHLY, nth=1, weekdays=(4,)), "Every month on the first Friday"),
        (Rule(frequency=Frequency.MONTHLY, interval=3, nth=-1, weekdays=(6,)), "Every 3 months on the last Sunday"),
    ],
)
def test_a_rule_is_described_in_plain_words(rule: Rule, words: str) -> None:
    assert rule.describe() == words


def test_ordinals() -> None:
    assert [format_ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 31)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "31st")
    ]
