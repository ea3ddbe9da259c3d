"""The error that ends a benchmark; its figures are worthless then."""

from __future__ import annotations

from shared.errors import QuestbellError


class BenchmarkError(QuestbellError):
    """Something was not delivered exactly once, or a process failed."""
