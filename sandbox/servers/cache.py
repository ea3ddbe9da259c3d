"""The cache for built and downloaded binaries, the only files that stay after a run.

Files appear complete: each is written to a work directory of the cache and moved into place, so a killed run leaves
nothing that looks finished. A lock lets one run build while the others wait for its result.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

_POLL_SECONDS = 0.2


def cache_directory() -> Path:
    """Return our part of the user's cache (XDG_CACHE_HOME, else ~/.cache)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "questbell"


@asynccontextmanager
async def locked(directory: Path, *, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """Lock a directory against all other processes of this machine.

    If another process holds the lock, call `on_wait` and wait.
    """
    handle = _lock_file(directory)
    try:
        if not _try_lock(handle):
            on_wait()
            while not _try_lock(handle):  # noqa: ASYNC110 -- another process holds it: there is no event
                await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(handle)


@asynccontextmanager
async def arriving_in(directory: Path) -> AsyncIterator[Path]:
    """Create a work directory, and move its files to `directory` at the end unless there was an error."""
    work = _work_directory(directory.parent)
    try:
        yield work
        _move_all(work, directory)
    finally:
        await asyncio.to_thread(shutil.rmtree, work)


def _lock_file(directory: Path) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    return os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)


def _work_directory(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".work-", dir=parent))


def _move_all(work: Path, directory: Path) -> None:
    for made in work.iterdir():
        directory.mkdir(exist_ok=True)
        made.replace(directory / made.name)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
