"""What a text says about a start time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one reading of a text, or of a part of it, says. None means that it doesn't say."""

    timestamp: int | None = None
    span: timedelta | None = None
    """From now to the start."""
    days: int | None = None
    """From today to the start."""
    weeks: int | None = None
    """Calendar weeks from this one."""
    weekday: int | None = None
    is_next: bool | None = None
    day: int | None = None
    month: int | None = None
    year: int | None = None
    part: str | None = None
    """The part of the day."""
    clock: int | None = None
    """Seconds from midnight to the start, 86,400 for the end of the day."""
    zone: str | None = None
    offset: timedelta | None = None
    """From UTC."""
    until: int | None = None
    """Seconds from the start to the end by the clock."""
    length: timedelta | None = None
    is_guess: bool | None = None
    """Whether people also write so when they mean something else."""

    def merge(self, other: Facts) -> Facts | None:
        """Return what both say, or None if they contradict each other."""
        merged = {}
        for name in _NAMES:
            one, two = getattr(self, name), getattr(other, name)
            if one is not None and two is not None and one != two:
                return None
            merged[name] = two if one is None else one
        return Facts(**merged)

    def says(self, *names: str) -> bool:
        """Return whether it says anything about one of these."""
        return any(getattr(self, name) is not None for name in names)


_NAMES = tuple(field.name for field in fields(Facts))
