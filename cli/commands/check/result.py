"""The result of one check."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class CheckStatus(enum.StrEnum):
    """The status of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """The result of a check, with a remedy if it failed."""

    name: str
    status: CheckStatus
    message: str
    remedy: str = ""

    @classmethod
    def passed(cls, name: str, message: str) -> CheckResult:
        """Return a passed check."""
        return cls(name, CheckStatus.PASSED, message)

    @classmethod
    def failed(cls, name: str, message: str, remedy: str) -> CheckResult:
        """Return a failed check."""
        return cls(name, CheckStatus.FAILED, message, remedy)

    @classmethod
    def skipped(cls, name: str, reason: str) -> CheckResult:
        """Return a skipped check."""
        return cls(name, CheckStatus.SKIPPED, reason)
