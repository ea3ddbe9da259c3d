"""What a check found: one line that a person can act on."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One check. `said` is what was found; `mend` what to do when it failed."""

    name: str
    verdict: Verdict
    said: str
    mend: str = ""

    @classmethod
    def passed(cls, name: str, said: str) -> Finding:
        """Return that something is as it must be."""
        return cls(name, Verdict.PASSED, said)

    @classmethod
    def failed(cls, name: str, said: str, mend: str = "") -> Finding:
        """Return that something is wrong, and how to mend it."""
        return cls(name, Verdict.FAILED, said, mend)

    @classmethod
    def skipped(cls, name: str, why: str) -> Finding:
        """Return that something could not be looked at, or need not be."""
        return cls(name, Verdict.SKIPPED, why)
