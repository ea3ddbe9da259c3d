"""What came of a cell: its figures, and what was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SHOWN_PROBLEMS = 20


@dataclass
class Verdict:
    """What came of a cell."""

    reminders: int = 0
    delivered: int = 0
    direct: int = 0
    """Direct messages that reminded somebody."""
    lost: int = 0
    doubled: int = 0
    told_wrong: int = 0
    unsettled: int = 0
    unknown: int = 0
    excused: int = 0
    """Reminders that rightly were not told: the session changed, had begun, or a later reminder was due."""
    lateness: list[float] = field(default_factory=list)
    """Seconds from the due time, or from the fault's end if that was later, of each message of a reminder."""
    others: list[float] = field(default_factory=list)
    """Seconds from the due time of each message that a fault of some places and people should not have touched."""
    problems: list[str] = field(default_factory=list)

    def note(self, column: str, problem: str) -> None:
        """Count a violation."""
        setattr(self, column, getattr(self, column) + 1)
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(f"{column}: {problem}")


def quantile(seconds: Sequence[float], at: float) -> float | None:
    """Return a quantile of some durations in milliseconds, None of none."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(at * len(ordered)))] * 1000, 1) if ordered else None
