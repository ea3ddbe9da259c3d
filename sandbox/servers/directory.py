"""The directories in which the servers keep their files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MODE = 0o711
"""Servers that run under their own accounts must be able to enter, but not to list."""


@contextmanager
def temporary_directory(prefix: str) -> Iterator[Path]:
    """Create a directory that servers can enter, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix=f"questbell-{prefix}") as name:
        directory = Path(name)
        directory.chmod(_MODE)
        yield directory


def subdirectory(directory: Path, name: str) -> Path:
    """Create a directory in a directory that servers can enter."""
    path = directory / name
    path.mkdir(mode=_MODE)
    return path
