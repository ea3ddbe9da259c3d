"""What `/livez` and a watchdog call progress. An outage is none of their business, however long it lasts.

* The event loop turns. If it hangs, the watchdog prints where and ends the process. The kubelet's probe would end it
  too, but say nothing, and outside Kubernetes nobody would.
* An essential task works or begins to try again. Every network wait has a time-out, so a task that does neither for
  minutes waits for something that never comes, and only a restart helps.
"""

from __future__ import annotations

import asyncio
import faulthandler
from collections.abc import Awaitable, Callable

HANGS_AFTER = 30.0
"""Seconds without a turn of the event loop: shortly before the kubelet's probe gives up."""
BEAT_INTERVAL = 5.0
"""Seconds."""
STALLED_AFTER = 120.0
"""Seconds without an attempt: several times all time-outs of one."""


async def watch_event_loop() -> None:
    """Watch this event loop until cancelled.

    `faulthandler` watches from a thread that does not need the interpreter's lock, which the hanging code may hold.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
            await asyncio.sleep(BEAT_INTERVAL)
    finally:
        faulthandler.cancel_dump_traceback_later()


class Watched:
    """A task that is restarted after errors."""

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[None]],
        *,
        is_working: Callable[[], bool],
        stalled_after: float = STALLED_AFTER,
    ) -> None:
        """`is_working` returns whether the current attempt has succeeded so far."""
        self.name = name
        self._work = work
        self._is_working = is_working
        self._stalled_after = stalled_after
        self._began_at: float | None = None

    async def run(self) -> None:
        """Make one attempt."""
        self._began_at = asyncio.get_running_loop().time()
        await self._work()

    def stalled(self) -> str | None:
        """Return that no attempt has begun for too long, or None."""
        if self._began_at is None or self._is_working():
            return None
        age = asyncio.get_running_loop().time() - self._began_at
        return f"{self.name} began its last attempt {age:.0f} s ago" if age > self._stalled_after else None
