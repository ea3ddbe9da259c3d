"""How hosts write that a game repeats."""

from __future__ import annotations

from datetime import datetime, time
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.features.errors import UserError
from bot.features.repeats import format_repeat, is_once, list_repeats, parse_repeat, read_repeat
from bot.features.series.editing import parse_regulars
from bot.features.times import parse_clock

FRIDAY = datetime.fromisoformat("2026-12-04T20:00")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("every friday", "FREQ=WEEKLY;BYDAY=FR"),
        ("Every Friday!", "FREQ=WEEKLY;BYDAY=FR"),
        ("fridays", "FREQ=WEEKLY;BYDAY=FR"),
        ("jeden freitag", None),
        ("every freitag", "FREQ=WEEKLY;BYDAY=FR"),
        ("weekly", "FREQ=WEEKLY;BYDAY=FR"),
        ("every week on mon, wed & fri", "FREQ=WEEKLY;BYDAY=MO,WE,FR"),
        ("every friday and tuesday", "FREQ=WEEKLY;BYDAY=TU,FR"),
        ("every 2 weeks", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR"),
        ("every two weeks on friday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR"),
        ("every other friday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR"),
        ("biweekly", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR"),
        ("weekdays", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("daily", "FREQ=DAILY"),
        ("every day", "FREQ=DAILY"),
        ("everyday", "FREQ=DAILY"),
        ("every third day", None),
        ("every 3rd day", "FREQ=DAILY;INTERVAL=3"),
        ("every other day", "FREQ=DAILY;INTERVAL=2"),
        ("monthly", "FREQ=MONTHLY;BYMONTHDAY=4"),
        ("monthly on the 15th", "FREQ=MONTHLY;BYMONTHDAY=15"),
        ("every month on the last day", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("every 3 months on the 4th", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=4"),
        ("the 15th of every month", "FREQ=MONTHLY;BYMONTHDAY=15"),
        ("every month on the first friday", "FREQ=MONTHLY;BYDAY=1FR"),
        ("every first friday of the month", "FREQ=MONTHLY;BYDAY=1FR"),
        ("last sunday of the month", "FREQ=MONTHLY;BYDAY=-1SU"),
        ("every month on the first weekday", None),
        ("monthly on the 32nd", None),
        ("weekly, 10 times", "FREQ=WEEKLY;BYDAY=FR;COUNT=10"),
        ("every friday for six games", "FREQ=WEEKLY;BYDAY=FR;COUNT=6"),
        ("daily, twice", "FREQ=DAILY;COUNT=2"),
        ("weekly until 1 June", "FREQ=WEEKLY;BYDAY=FR;UNTIL=20270601T235959"),
        ("every friday, until 2027-03-01", "FREQ=WEEKLY;BYDAY=FR;UNTIL=20270301T235959"),
        ("10 times", None),
        ("every 2nd friday", None),  # of the month, or every other one?
        ("every year", None),
        ("hourly", None),
        ("friday", None),
        ("", None),
    ],
)
def test_a_text_means_one_rule_or_none(text: str, rule: str | None) -> None:
    try:
        assert str(read_repeat(text, start=FRIDAY)) == rule
    except UserError as error:
        assert rule is None
        assert "Try `every friday`" in str(error)


@settings(deadline=None)  # a busy machine
@given(st.text(max_size=100))
def test_every_text_is_read_or_explained(text: str) -> None:
    try:
        parse_repeat(text, start=FRIDAY)
    except UserError as error:
        assert len(str(error)) < 2000


@pytest.mark.parametrize(
    "text", ["every monday" + " , " * 29 + "x", "every " + "mon, " * 18 + "x", "1" * 100, "on " * 33]
)
def test_a_text_made_to_be_slow_is_refused_at_once(text: str) -> None:
    started = process_time()
    with pytest.raises(UserError):
        read_repeat(text[:100], start=FRIDAY)
    assert process_time() - started < 0.5


def test_the_first_start_must_fit() -> None:
    with pytest.raises(UserError, match=r"on Friday, 4 December 2026, but “Every Saturday” .* `2026-12-05 20:00`"):
        parse_repeat("every saturday", start=FRIDAY)
    assert str(parse_repeat("fridays and sundays", start=FRIDAY)) == "FREQ=WEEKLY;BYDAY=FR,SU"


def test_a_date_that_some_months_lack_is_only_read_for_every_month() -> None:
    assert str(read_repeat("monthly on the 31st", start=FRIDAY)) == "FREQ=MONTHLY;BYMONTHDAY=31"
    for text in ("every 12 months on the 30th", "every 2 months on the 31st"):
        with pytest.raises(UserError, match="months on the last day"):
            parse_repeat(text, start=FRIDAY)


def test_a_text_that_only_ends_is_completed() -> None:
    assert [value for _, value in list_repeats("until 1 june", start=FRIDAY)] == [
        f"{often}, until 1 june" for often in ("every week", "every day", "every month")
    ]
    assert list_repeats("until never", start=FRIDAY) == []


def test_each_suggestion_is_accepted_and_its_first_date_is_the_start() -> None:
    suggestions = list_repeats("", start=FRIDAY)
    assert len(suggestions) == 6
    for meaning, text in suggestions:
        parse_repeat(text, start=FRIDAY)
        assert " · Fri 4 Dec, " in meaning


def test_a_time_of_day_is_read_without_a_day() -> None:
    assert parse_clock("8pm", zone="Europe/Berlin") == time(20)
    assert parse_clock("19:30", zone="Europe/Berlin") == time(19, 30)
    for text, hint in (("8:30", "`08:30` or `20:30`"), ("tomorrow", "`19:30`"), ("friday 8pm", "`19:30`")):
        with pytest.raises(UserError, match=hint):
            parse_clock(text, zone="Europe/Berlin")


def test_regulars_are_mentioned() -> None:
    aiko, ben = 123456789012345678, 223456789012345678
    assert parse_regulars(f"<@{aiko}> and <@!{ben}>, <@{aiko}>") == (aiko, ben)
    assert parse_regulars("None") == ()
    for text in ("Aiko", f"<@{aiko}> Ben", ""):
        with pytest.raises(UserError, match="Mention the players"):
            parse_regulars(text)


@pytest.mark.parametrize(
    "text",
    [
        "every friday",
        "weekdays",
        "weekends",
        "every day",
        "every mon, wed and fri",
        "every 2 weeks on friday, 10 times",
        "every 3 days",
        "monthly on the 15th",
        "every 2 months on the last day",
        "every month on the first friday",
    ],
)
def test_a_rule_is_written_so_that_it_is_read_as_the_same(text: str) -> None:
    rule = read_repeat(text, start=FRIDAY)
    assert read_repeat(format_repeat(rule), start=datetime.fromisoformat("2027-01-01T20:00")) == rule


def test_a_template_keeps_no_last_day() -> None:
    assert format_repeat(read_repeat("weekly until 1 June", start=FRIDAY)) == "Every Friday"


@pytest.mark.parametrize(("text", "once"), [("", True), ("Once.", True), ("none", True), ("daily", False)])
def test_a_host_can_say_that_a_game_does_not_repeat(text: str, once: bool) -> None:
    assert is_once(text) is once
