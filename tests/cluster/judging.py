"""Holds what Discord accepted against the reminders that were due: none lost, none doubled, and how late each was.

Pure: the sandbox's evidence in, a verdict out. A message that names a reminder's session is that reminder, so one that
nobody asked for cannot hide behind a right one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Evidence = Sequence[dict[str, Any]]
"""Records of the sandbox's control API, in any order."""

CLOCKS = 0.05
"""Seconds that a reminder may seem early by: PostgreSQL's clock says what is due, the sandbox's when it was told."""


@dataclass(frozen=True)
class Reminder:
    """One reminder of one session, known by the session's title; `due_at` is in Unix seconds."""

    title: str
    due_at: float


@dataclass
class Verdict:
    """What came of some reminders."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    lateness: dict[str, float] = field(default_factory=dict)
    """Seconds, by title."""

    @property
    def latest(self) -> float:
        """How late the latest was."""
        return max(self.lateness.values(), default=0.0)

    @property
    def median(self) -> float:
        """How late the one in the middle was."""
        ordered = sorted(self.lateness.values())
        return ordered[len(ordered) // 2] if ordered else 0.0

    def told_once(self) -> bool:
        """Whether there were any, and each was told exactly once and not before its time."""
        return bool(self.lateness) and not (self.lost or self.doubled or self.early)

    def __str__(self) -> str:
        """Say what a person wants to know first."""
        return (
            f"{len(self.lateness)} told, {len(self.lost)} lost, {len(self.doubled)} doubled, "
            f"lateness median {self.median:.2f} s, most {self.latest:.2f} s"
        )


def judge(reminders: Iterable[Reminder], evidence: Evidence) -> Verdict:
    """Return the verdict on some reminders."""
    verdict, told = Verdict(), [record for record in evidence if _makes_a_message(record)]
    for reminder in reminders:
        times = sorted(record["wall"] for record in told if reminder.title in record["content"])
        if not times:
            verdict.lost.append(reminder.title)
            continue
        if len(times) > 1:
            verdict.doubled.append(reminder.title)
        if times[0] < reminder.due_at - CLOCKS:
            verdict.early.append(reminder.title)
        verdict.lateness[reminder.title] = times[0] - reminder.due_at
    return verdict


def _makes_a_message(record: dict[str, Any]) -> bool:
    return record["kind"] == "create" and not record["returned_earlier"]
