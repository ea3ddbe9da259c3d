"""Times and durations as an operator reads them: in UTC, to the millisecond, as the rows and the logs have them."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def moment(at: datetime) -> str:
    """Return "2030-05-01 18:00:00.250", in UTC."""
    return at.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def span(seconds: float) -> str:
    """Return a duration's two largest units, like "3 min 20 s"; below ten seconds with tenths, and milliseconds below
    one."""
    seconds = abs(seconds)
    if round(seconds, 3) < 1:
        return f"{round(seconds * 1000)} ms"
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    rest, parts = round(seconds), []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def signed(seconds: float) -> str:
    """Return a distance from a moment, like "+1.5 s" or "-10 min"."""
    return f"{'-' if seconds < 0 else '+'}{span(seconds)}"


def distance(seconds: float) -> str:
    """Return "in 12 s" for what lies ahead and "12 s ago" for what is past."""
    return f"in {span(seconds)}" if seconds >= 0 else f"{span(seconds)} ago"


def counted(count: int, noun: str) -> str:
    """Return "1 message" or "2 messages"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
