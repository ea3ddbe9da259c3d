"""A loop's sign of life for Prometheus: when it last got on, and how long it may now wait.

Both are needed to tell a loop that waits from one that hangs, whatever its spec says. A loop that has ended shows
nothing; one that is started again and again shows in `questbell_loop_failures_total`.
"""

from __future__ import annotations

from shared import metrics


class Progress:
    """How one loop gets on, by the name that its series carry."""

    def __init__(self, loop: str) -> None:
        self._loop = loop

    def note(self, *, wait: float | None = None) -> None:
        """Note that the loop got on, and the seconds that it may wait now if an iteration has ended."""
        metrics.LOOP_LAST_ITERATION.labels(self._loop).set_to_current_time()
        if wait is not None:
            metrics.LOOP_WAIT.labels(self._loop).set(wait)

    def end(self) -> None:
        """Show nothing any more."""
        metrics.LOOP_LAST_ITERATION.remove(self._loop)
        metrics.LOOP_WAIT.remove(self._loop)
