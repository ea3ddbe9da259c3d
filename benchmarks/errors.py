"""What ends a benchmark: figures of a run that went wrong are worth nothing."""

from __future__ import annotations

from shared.errors import QuestbellError


class BenchmarkError(QuestbellError):
    """Something was not told exactly once, or a process did not do its part."""
