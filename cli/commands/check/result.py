"""The result of one check."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class CheckStatus(enum.StrEnum):
    """The outcome of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """The finding of a check, and the remedy if it failed."""

    name: str
    status: CheckStatus
    message: str
    remedy: str = ""

    @classmethod
    def passed(cls, name: str, message: str) -> CheckResult:
        """Return a result without a problem."""
        return cls(name, CheckStatus.PASSED, message)

    @classmethod
    def failed(cls, name: str, message: str, remedy: str) -> CheckResult:
        """Return a problem and its remedy."""
        return cls(name, CheckStatus.FAILED, message, remedy)

    @classmethod
    def skipped(cls, name: str, reason: str) -> CheckResult:
        """Return that nothing was checked, and why."""
        return cls(name, CheckStatus.SKIPPED, reason)
