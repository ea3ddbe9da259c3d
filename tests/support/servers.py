"""What the fixtures that start servers share."""

from __future__ import annotations


def report(step: str) -> None:
    """Print a server's progress; pytest shows it when a test fails."""
    print(step)
