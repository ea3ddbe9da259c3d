"""Times and durations that hosts enter: their meaning, and the errors for unclear ones."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.features.errors import UserError
from bot.features.times import parse_duration, parse_reminder_offsets, parse_start_time

BERLIN = "Europe/Berlin"
MONDAY = datetime(2026, 11, 23, 19, 2, tzinfo=ZoneInfo(BERLIN))
WORDS = st.lists(
    st.sampled_from(
        [
            "tomorrow",
            "tonight",
            "friday",
            "next",
            "in",
            "ago",
            "2",
            "8",
            "8pm",
            "20:00",
            "20h",
            "2.30am",
            "at",
            "noon",
            "day",
            "days",
            "hours",
            "h",
            "5/6",
            "31/12",
            "0001-01-01",
            "9999-12-31",
            "00:00",
            "23:59",
            "z",
            "+14:00",
            "-14:00",
            "dec",
            "99999",
            "years",
            "t",
            "<t:99999999999>",
            "from",
            "now",
        ]
    ),
    max_size=5,
).map(" ".join)
BEFORE_SPRING = datetime(2027, 3, 27, 12, 0, tzinfo=ZoneInfo(BERLIN))
"""The day before clocks in Berlin skip from 2:00 to 3:00."""
BEFORE_AUTUMN = datetime(2026, 10, 24, 12, 0, tzinfo=ZoneInfo(BERLIN))
"""The day before clocks in Berlin show 2:00 to 3:00 twice."""


def parse(text: str, *, zone: str = BERLIN, now: datetime = MONDAY) -> datetime:
    return parse_start_time(text, zone=zone, now=now)


def error_message(text: str, *, zone: str = BERLIN, now: datetime = MONDAY) -> str:
    with pytest.raises(UserError) as refused:
        parse_start_time(text, zone=zone, now=now)
    return str(refused.value)


class TestStartTime:
    @pytest.mark.parametrize(
        ("text", "local"),
        [
            ("tomorrow 8pm", "2026-11-24 20:00"),
            ("Tomorrow at 8 PM", "2026-11-24 20:00"),
            ("friday 19:30", "2026-11-27 19:30"),
            ("next tuesday at 20:00", "2026-11-24 20:00"),
            ("8pm", "2026-11-23 20:00"),
            ("7pm", "2026-11-24 19:00"),
            ("tonight 8pm", "2026-11-23 20:00"),
            ("noon tomorrow", "2026-11-24 12:00"),
            ("in 2 hours", "2026-11-23 21:02"),
            ("in 2 days at 8pm", "2026-11-25 20:00"),
            ("3 days from now at 8pm", "2026-11-26 20:00"),
            ("dec 25 8pm", "2026-12-25 20:00"),
            ("jan 5 8pm", "2027-01-05 20:00"),
            ("31/12 20:00", "2026-12-31 20:00"),
            ("25.12.2026 20:00", "2026-12-25 20:00"),
            ("5/5 20:00", "2027-05-05 20:00"),
            ("friday 20h", "2026-11-27 20:00"),
            ("friday 20h30", "2026-11-27 20:30"),
            ("8.30pm", "2026-11-23 20:30"),
            ("2026-12-01 20:00", "2026-12-01 20:00"),
            ("2026-12-01T8:05:30", "2026-12-01 08:05:30"),
            ("2026-12-01 8pm", "2026-12-01 20:00"),
            ("tmrw 8p", "2026-11-24 20:00"),
            ("thurs @ 7.30pm", "2026-11-26 19:30"),
            ("tomorrow 1930", "2026-11-24 19:30"),
            ("friday night at 8", "2026-11-27 20:00"),
            ("saturday morning at 10", "2026-11-28 10:00"),
            ("sunday afternoon 3", "2026-11-29 15:00"),
            ("friday 27 nov 8pm", "2026-11-27 20:00"),
            ("Fri, Dec 4, 2026 8:00 PM", "2026-12-04 20:00"),
        ],
    )
    def test_a_local_time_is_in_the_servers_time_zone(self, text: str, local: str) -> None:
        assert parse(text) == datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(BERLIN))

    def test_the_same_text_means_another_time_in_another_zone(self) -> None:
        assert parse("tomorrow 8pm", zone="Asia/Tokyo") == datetime(2026, 11, 25, 11, 0, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("text", "utc"),
        [
            ("2026-12-01T20:00Z", datetime(2026, 12, 1, 20, 0, tzinfo=UTC)),
            ("2026-12-01 20:00+0530", datetime(2026, 12, 1, 14, 30, tzinfo=UTC)),
            ("<t:1798000000:F>", datetime.fromtimestamp(1798000000, UTC)),
        ],
    )
    def test_a_time_with_an_offset_is_absolute(self, text: str, utc: datetime) -> None:
        assert parse(text) == utc

    def test_a_timestamp_includes_its_year(self) -> None:
        at = (MONDAY + timedelta(days=350)).replace(microsecond=0)
        assert parse(f"<t:{at.timestamp():.0f}>") == at

    @pytest.mark.parametrize(
        ("text", "span"),
        [
            ("in 75 seconds", timedelta(seconds=75)),
            ("in 1h30m", timedelta(minutes=90)),
            ("in two hours", timedelta(hours=2)),
            ("90 minutes from now", timedelta(minutes=90)),
            ("in half an hour", timedelta(minutes=30)),
            ("in an hour and a half", timedelta(minutes=90)),
        ],
    )
    def test_a_relative_time_is_counted_from_now(self, text: str, span: timedelta) -> None:
        assert parse(text) == MONDAY + span

    def test_every_result_is_in_utc(self) -> None:
        assert parse("tomorrow 8pm").tzinfo is UTC

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("whenever", "tomorrow 8pm"),
            ("", "tomorrow 8pm"),
            ("tomorrow", "needs a time of day"),
            ("tonight", "needs a time of day"),
            ("tomorrow at 8", "morning or evening? Enter `tomorrow at 8am` or `tomorrow at 8pm`"),
            ("friday 8", "morning or evening? Enter `friday 8am` or `friday 8pm`"),
            ("next friday at 8", "Enter `next friday at 8am` or `next friday at 8pm`"),
            ("fri @ 8", "Enter `fri at 8am` or `fri at 8pm`"),
            ("dec 4 at 8", "Enter `dec 4 at 8am` or `dec 4 at 8pm`"),
            ("4 dec 8", "Enter `4 dec 8am` or `4 dec 8pm`"),
            ("8 on friday", "Enter `8am on friday` or `8pm on friday`"),
            ("8", "Enter `8am` or `8pm`"),
            ("8 dec", "needs a time of day"),
            ("friday dec 4", "needs a time of day"),
            ("friday morning", "needs a time of day"),
            ("2026-12-01", "needs a time of day"),
            ("in a week", "needs a time of day"),
            ("5/6 8pm", "mean 5 Jun or 6 May? Enter `5 jun` or `6 may`"),
            ("5.6.2027 20:00", "Enter `5 jun 2027` or `6 may 2027`"),
            ("friday 4 8pm", "not sure which day"),
            ("friday the 4th at 8pm", "Enter the day and the month, as in `30 nov 8pm`"),
            ("4th 8pm", "not sure which day"),
            ("december 8pm", "not sure which day"),
            ("next month 8pm", "not sure which day"),
            ("friday 8-11pm", "Enter only the start"),
            ("19:00 - 22:00", "Enter only the start"),
            ("friday 8pm to 11pm", "Enter only the start"),
            ("tomorrow 8pm EST", "Leave the time zone out"),
            ("20:00 +0200", "Leave the time zone out"),
            ("2 hours", "enter `in 2 hours`"),
            ("20h", "enter `in 20h`"),
            ("2026-02-30 20:00", "isn't a valid date and time"),
            ("2026-12-01 25:00", "isn't a valid date and time"),
            ("yesterday 8pm", "is in the past"),
            ("2025-12-01 20:00", "is in the past"),
            ("now", "is in the past"),
            ("2027-11-25 20:00", "more than a year"),
            ("nov 23 5pm", "2027-11-23 17:00"),
            ("0001-01-01 00:00", "isn't a valid date"),
        ],
    )
    def test_an_unclear_time_is_rejected_with_what_to_enter(self, text: str, hint: str) -> None:
        message = error_message(text)
        assert hint in message
        assert "`" in message or "<t:" in message or "up to a year" in message

    def test_a_weekday_that_differs_from_the_date_is_rejected(self) -> None:
        assert "5 December 2026 is a Saturday" in error_message("friday dec 5 8pm")

    @pytest.mark.parametrize("text", ["whenever", "2026-02-30 20:00", "tomorrow 8pm EST"])
    def test_the_date_in_an_example_can_be_entered(self, text: str) -> None:
        [example] = re.findall(r"`(\d{4}-\d\d-\d\d [^`]*)`", error_message(text))
        assert parse(example) > MONDAY

    def test_a_time_in_the_past_names_the_servers_time_zone(self) -> None:
        assert "Times on this server are in Europe/Berlin" in error_message("today 8am")

    def test_an_error_quotes_the_text_without_formatting_or_mentions(self) -> None:
        message = error_message("**@everyone**")
        assert "**" not in message
        assert "@everyone" not in message

    @given(st.text(max_size=100) | WORDS)
    def test_any_text_is_a_future_time_or_an_error(self, text: str) -> None:
        try:
            assert parse(text) > MONDAY
        except UserError as refused:
            assert 0 < len(str(refused)) <= 1000


class TestDaylightSaving:
    def test_eight_in_the_evening_stays_eight_across_the_change(self) -> None:
        assert parse("saturday 8pm", now=datetime(2027, 3, 26, 12, 0, tzinfo=UTC)).hour == 19
        assert parse("sunday 8pm", now=datetime(2027, 3, 26, 12, 0, tzinfo=UTC)).hour == 18

    @pytest.mark.parametrize("text", ["tomorrow 2:30am", "2027-03-28 02:30"])
    def test_a_skipped_time_is_rejected_with_the_nearest_times(self, text: str) -> None:
        message = error_message(text, now=BEFORE_SPRING)
        assert "02:30 doesn't exist in Europe/Berlin" in message
        assert "`2027-03-28 01:30` or `2027-03-28 03:30`" in message

    @pytest.mark.parametrize(("text", "utc"), [("tomorrow 1:59am", (28, 0, 59)), ("tomorrow 3am", (28, 1, 0))])
    def test_the_times_on_either_side_of_the_gap_exist(self, text: str, utc: tuple[int, int, int]) -> None:
        day, hour, minute = utc
        assert parse(text, now=BEFORE_SPRING) == datetime(2027, 3, day, hour, minute, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["tomorrow 2:30am", "2026-10-25 02:30"])
    def test_a_repeated_time_means_the_first_one(self, text: str) -> None:
        assert parse(text, now=BEFORE_AUTUMN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    @pytest.mark.parametrize("now", [BEFORE_SPRING, BEFORE_AUTUMN])
    def test_hours_from_now_ignore_clock_changes(self, now: datetime) -> None:
        assert parse("in 20 hours", now=now) - now.astimezone(UTC) == timedelta(hours=20)

    def test_a_skipped_local_time_with_an_offset_exists(self) -> None:
        at = parse("2027-03-28T02:30+01:00", now=BEFORE_SPRING)
        assert at == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "span"),
        [
            ("3h", timedelta(hours=3)),
            ("90m", timedelta(minutes=90)),
            ("1h30m", timedelta(minutes=90)),
            ("1H 30 Min", timedelta(minutes=90)),
            ("1 hour and 30 minutes", timedelta(minutes=90)),
            ("45 min", timedelta(minutes=45)),
            ("1.5h", timedelta(minutes=90)),
            ("20s", timedelta(seconds=20)),
            ("PT2H", timedelta(hours=2)),
            ("P1DT12H", timedelta(hours=36)),
            ("10s", timedelta(seconds=10)),
            ("7d", timedelta(days=7)),
            ("1w", timedelta(days=7)),
        ],
    )
    def test_all_usual_spellings_are_accepted(self, text: str, span: timedelta) -> None:
        assert parse_duration(text) == span

    @pytest.mark.parametrize(
        "text", ["", "90", "h", "three hours", "3 h x", "3hh", "1h30", "P", "-3h", "9s", "0s", "8d"]
    )
    def test_anything_else_is_rejected_with_an_example(self, text: str) -> None:
        with pytest.raises(UserError, match=r"Try `\d+[dh]`"):
            parse_duration(text)

    def test_a_number_without_a_unit_is_a_question(self) -> None:
        with pytest.raises(UserError, match="mean hours or minutes"):
            parse_duration("3")

    @given(st.text(max_size=50))
    def test_any_text_is_a_duration_within_the_limits_or_an_error(self, text: str) -> None:
        with contextlib.suppress(UserError):
            assert timedelta(seconds=10) <= parse_duration(text) <= timedelta(days=7)


class TestOffsets:
    @pytest.mark.parametrize(
        ("text", "minutes"),
        [
            ("1d, 1h, 10m, 0", (1440, 60, 10, 0)),
            ("10m; 1h and 1d", (1440, 60, 10)),
            ("1h, 60m", (60,)),
            ("1h before, at start", (60, 0)),
            ("30d", (43200,)),
            ("1h30m", (90,)),
            ("none", ()),
            ("", ()),
        ],
    )
    def test_offsets_are_unique_minutes_before_the_start_in_descending_order(
        self, text: str, minutes: tuple[int, ...]
    ) -> None:
        assert parse_reminder_offsets(text) == minutes

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("1h, 10", "`10m` or `10h`"),
            ("soon", "`1d, 1h, 10m, 0`"),
            ("90s", "whole minutes"),
            ("31d", "up to 30 days"),
            ("1m, 2m, 3m, 4m, 5m, 6m", "up to 5"),
        ],
    )
    def test_anything_else_is_rejected_with_what_to_enter(self, text: str, hint: str) -> None:
        with pytest.raises(UserError) as refused:
            parse_reminder_offsets(text)
        assert hint in str(refused.value)
        assert "`" in str(refused.value)
