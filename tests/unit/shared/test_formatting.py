"""Counts, durations and times in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.formatting import (
    format_duration,
    format_offset,
    format_relative,
    format_seconds,
    format_utc,
    join_words,
    plural,
)


def test_a_count_of_one_is_singular() -> None:
    assert (plural(1, "seat"), plural(2, "seat"), plural(0, "seat")) == ("1 seat", "2 seats", "0 seats")


@pytest.mark.parametrize(("items", "text"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_the_last_word_is_joined_by_and(items: str, text: str) -> None:
    assert join_words(items) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0 seconds"),
        (timedelta(minutes=90), "1 hour 30 minutes"),
        (timedelta(days=8, seconds=1), "8 days 1 second"),
    ],
)
def test_a_duration_is_written_out_in_full(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.25, "250 ms"), (0.9996, "1.0 s"), (1.5, "1.5 s"), (9.96, "10 s"), (200, "3 min 20 s")],
)
def test_seconds_are_shown_by_their_two_largest_units(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == format_seconds(-seconds) == text


def test_an_offset_has_a_sign_and_a_relative_time_has_a_direction() -> None:
    assert (format_offset(1.5), format_offset(-600)) == ("+1.5 s", "-10 min")
    assert (format_relative(12), format_relative(-12)) == ("in 12 s", "12 s ago")


def test_a_time_is_shown_in_utc_to_the_millisecond() -> None:
    at = datetime(2030, 5, 1, 20, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=2)))
    assert format_utc(at) == "2030-05-01 18:00:00.250"
    assert format_utc(datetime(2030, 5, 1, tzinfo=UTC)) == "2030-05-01 00:00:00.000"
