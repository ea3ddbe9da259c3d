"""What the oracle found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.percentiles import percentile

VIOLATIONS = ("lost", "doubled", "wrong", "unsettled")
SHOWN_PROBLEMS = 20


@dataclass
class Verdict:
    """The figures and the violations of one run.

    Attributes:
        delivered: reminders whose channel got its message.
        direct_messages: reminders sent as direct messages.
        personal_reminders: reminders for one player alone that were due.
        promotions: seats that went to the first on a waitlist.
        lapsed_offers: those of them that were not taken in time.
        minimum_questions: questions to hosts whether to cancel a game with too few players.
        occurrences: games of series that were over, each of which makes the next one.
        excused: reminders that were correctly not sent: the game changed, had started, or a later one was due too.
        latency: seconds from the due time, or from the end of the fault if that was later, of each reminder message.
        unaffected_latency: seconds from the due time of each message that the fault should not have touched.
        lost_commits: messages of changes that a fail-over lost, and games with such changes.
        last_delivery: when Discord accepted the last reminder.
        other_problems: problems that are none of the violations.
    """

    reminders: int = 0
    delivered: int = 0
    direct_messages: int = 0
    personal_reminders: int = 0
    promotions: int = 0
    lapsed_offers: int = 0
    minimum_questions: int = 0
    occurrences: int = 0
    excused: int = 0
    unknown: int = 0
    lost_commits: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    other_problems: list[str] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    unaffected_latency: list[float] = field(default_factory=list)
    last_delivery: datetime | None = None

    @property
    def problems(self) -> list[str]:
        """A line for each problem, at most the first few of a kind of violation."""
        violations = [f"{kind}: {what}" for kind in VIOLATIONS for what in getattr(self, kind)[:SHOWN_PROBLEMS]]
        return violations + self.other_problems

    @property
    def max_latency(self) -> float:
        """The highest latency in seconds."""
        return max(self.latency, default=0.0)

    @property
    def exactly_once(self) -> bool:
        """Whether there were reminders, and nothing is wrong with any."""
        return self.reminders > 0 and not self.problems

    def __str__(self) -> str:
        """The figures a person wants first."""
        counts = ", ".join(f"{len(getattr(self, kind))} {kind}" for kind in VIOLATIONS)
        median, latest = quantile(self.latency, 0.5), quantile(self.latency, 1.0)
        first = f": {self.problems[0]}" if self.problems else ""
        return f"{self.delivered} delivered, {counts}, latency median {median} ms, maximum {latest} ms{first}"


def quantile(seconds: Sequence[float], share: float) -> float | None:
    """Return a quantile of durations in milliseconds, None without any."""
    return round(percentile(sorted(seconds), share) * 1000, 1) if seconds else None
