"""Formats counts, durations and times for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

SECONDS_PER_UNIT = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_LONG_UNITS = ("day", "hour", "minute", "second")
_SHORT_UNITS = {"day": "d", "hour": "h", "minute": "min", "second": "s"}


def plural(count: int, noun: str) -> str:
    """Return "1 seat" or "2 seats"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def join_words(items: Iterable[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def format_duration(duration: timedelta) -> str:
    """Return whole seconds like "1 hour 30 minutes"."""
    rest = int(duration.total_seconds())
    parts = []
    for unit in _LONG_UNITS:
        count, rest = divmod(rest, SECONDS_PER_UNIT[unit])
        if count:
            parts.append(plural(count, unit))
    return " ".join(parts) or "0 seconds"


def format_seconds(seconds: float) -> str:
    """Return unsigned seconds like "3 min 20 s", "1.5 s" or "250 ms"."""
    seconds = abs(seconds)
    if round(seconds, 3) < 1:
        return f"{round(seconds * 1000)} ms"
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    rest, parts = round(seconds), []
    for unit, symbol in _SHORT_UNITS.items():
        count, rest = divmod(rest, SECONDS_PER_UNIT[unit])
        if count:
            parts.append(f"{count} {symbol}")
    return " ".join(parts[:2])


def format_offset(seconds: float) -> str:
    """Return a distance like "+1.5 s" or "-10 min"."""
    return f"{'-' if seconds < 0 else '+'}{format_seconds(seconds)}"


def format_relative(seconds: float) -> str:
    """Return "in 12 s" or "12 s ago"."""
    return f"in {format_seconds(seconds)}" if seconds >= 0 else f"{format_seconds(seconds)} ago"


def format_utc(at: datetime) -> str:
    """Return "2030-05-01 18:00:00.250", in UTC, as in rows and logs."""
    return at.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
