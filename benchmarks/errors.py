"""What ends a benchmark: the figures of a run that went wrong are worthless."""

from __future__ import annotations

from shared.errors import QuestbellError


class BenchmarkError(QuestbellError):
    """Something was not delivered exactly once, or a process failed."""
