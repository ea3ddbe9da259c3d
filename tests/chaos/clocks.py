"""A wrong clock for one process: libfaketime, which Debian has as a package.

A namespace of the kernel can shift only the monotonic clocks, which no decision of ours reads; replacing functions of
Python inside the process would miss what C code reads. The monotonic clock is left alone: it is never wrong.
"""

from __future__ import annotations

from pathlib import Path

from sandbox.servers import apt
from sandbox.servers.errors import ServerFailedError

PACKAGE = "libfaketime"
_PLACES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


async def obtain() -> str | None:
    """Install libfaketime if need be; return why there is none, None when it is there."""
    if library() is not None:
        return None
    if not await apt.may_install():
        return f"{PACKAGE} is not installed, and this is no Debian where we may install it"
    try:
        await apt.install(PACKAGE)
    except ServerFailedError as error:
        return f"{PACKAGE} could not be installed: {error}"
    return None if library() is not None else f"{PACKAGE} is not where it is expected"


def library() -> Path | None:
    """Return the library to preload, None when it is not installed."""
    return next((path for place in _PLACES for path in sorted(Path("/").glob(place[1:]))), None)


def skewed(seconds: int) -> dict[str, str]:
    """Return the environment of a process whose clock is so many seconds ahead, or behind when negative."""
    return {"LD_PRELOAD": str(library() or ""), "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
