"""A wrong clock for one process, with libfaketime, which Debian has as a package.

A kernel namespace can shift only the monotonic clocks, which no decision here reads, and replacing functions inside
Python would miss what C code reads. The monotonic clock is left alone: it is never wrong.
"""

from __future__ import annotations

from pathlib import Path

from sandbox.servers import apt
from sandbox.servers.errors import ServerFailedError

PACKAGE = "libfaketime"
_PATTERNS = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


async def install() -> str | None:
    """Install libfaketime if needed; return why it is not available, None when it is."""
    if find_library() is not None:
        return None
    if not await apt.may_install():
        return f"{PACKAGE} is not installed, and packages cannot be installed on this machine"
    try:
        await apt.install(PACKAGE)
    except ServerFailedError as error:
        return f"{PACKAGE} could not be installed: {error}"
    return None if find_library() is not None else f"{PACKAGE} is not where it is expected"


def find_library() -> Path | None:
    """Return the library to preload, None when it is not installed."""
    return next((path for pattern in _PATTERNS for path in sorted(Path("/").glob(pattern[1:]))), None)


def skewed_environment(seconds: int) -> dict[str, str]:
    """Return the environment variables of a process whose clock is `seconds` ahead, or behind when negative."""
    return {
        "LD_PRELOAD": str(find_library() or ""),
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
