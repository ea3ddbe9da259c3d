"""The oracle's figures while the demo runs."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.demo.environment import SandboxEnvironment
from sandbox.oracle import history
from sandbox.oracle.compare import compare_deliveries
from sandbox.oracle.facts import DatabaseFacts, Evidence
from sandbox.oracle.observed import created_messages
from sandbox.oracle.verdict import Verdict
from shared.models import NotificationKind


@dataclass(frozen=True)
class Figures:
    """Counts of reminders. `waiting` are due and not delivered yet, and `missing` were given up."""

    due: int
    delivered: int
    waiting: int
    doubled: int
    missing: int


async def read_figures(environment: SandboxEnvironment) -> Figures:
    """Compare what Discord received so far with the recorded history.

    Raises:
        TransientError: the database cannot be reached.
    """
    facts = await history.read_history(environment.sessions)
    return count(facts, compare_deliveries(Evidence(facts, messages=created_messages(environment.discord))))


def count(facts: DatabaseFacts, verdict: Verdict) -> Figures:
    """Count the reminders. One that no message shows is waiting while its row is open, and missing afterwards."""
    is_open = [
        row
        for row in facts.notifications.values()
        if row.kind is NotificationKind.REMINDER and row.outcome is None and row.due_at <= facts.now
    ]
    waiting = min(len(verdict.lost), len(is_open))
    return Figures(
        due=verdict.reminders - verdict.excused,
        delivered=verdict.delivered,
        waiting=waiting,
        doubled=len(verdict.doubled),
        missing=len(verdict.lost) - waiting,
    )
