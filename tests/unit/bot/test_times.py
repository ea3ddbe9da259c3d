"""Durations and reminder times that hosts enter: their meaning, and the errors for unclear ones."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.features.errors import UserError
from bot.features.times import parse_duration, parse_reminder_offsets


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
            ("1,5 h", timedelta(minutes=90)),
            ("1h30", timedelta(minutes=90)),
            ("2 hours 15", timedelta(minutes=135)),
            ("an hour and a half", timedelta(minutes=90)),
            ("half an hour", timedelta(minutes=30)),
            ("two and a half hours", timedelta(minutes=150)),
            ("three hours", timedelta(hours=3)),
            ("2 Stunden", timedelta(hours=2)),
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
        "text", ["", "90", "h", "3 h x", "3hh", "1h 1h", "30m 1h", "1:30", "P", "-3h", "9s", "0s", "8d", "all day"]
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
            ("1h30", (90,)),
            ("an hour before", (60,)),
            ("2 days before and 1 hour before", (2880, 60)),
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
            ("1d 1h", "Enter `1d, 1h` for 2 reminders, or `1d1h` for one"),
            ("1h 30m", "Enter `1h, 30m` for 2 reminders, or `1h30m` for one"),
            ("1 hour and 30 minutes", "`1 hour, 30 minutes` for 2 reminders, or `1h30m`"),
            ("1d 1h 10m 0", "`1d, 1h, 10m, 0` for 4 reminders"),
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
