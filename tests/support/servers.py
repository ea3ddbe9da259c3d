"""What the fixtures that start servers or programs share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.servers import tools


def report(step: str) -> None:
    """Print a server's progress; pytest shows it when a test fails."""
    print(step)


def require(tool: str) -> Path:
    """Return the path of a tool that the set-up installs; without it, skip the test, or fail it in CI."""
    found = tools.find(tool)
    if found is None:
        missing = f"{tool} is neither on PATH nor in the cache: run python -m sandbox.servers"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found
