"""Whether what we depend on can be reached, asked every few seconds, for `/readyz`.

A probe of the kubelet gets the last answer instead of asking itself: kubelets give a second, and a dependency that
hangs takes longer to be found out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from shared import logs, metrics
from shared.errors import ConfigurationError, QuestbellError

ASK_INTERVAL = 5.0
"""Seconds between two questions."""
ASK_TIMEOUT = 10.0
"""Seconds for an answer."""

Ask = Callable[[], Awaitable[object]]
"""Returns when the dependency answers, and raises one of our errors when it does not."""


class Dependency:
    """The state of one dependency."""

    def __init__(self, name: str, ask: Ask) -> None:
        self._ask = ask
        self._problem: str | None = "was not asked yet"
        self._log = logs.get(component="probes", dependency=name)
        self._name = name

    async def run(self) -> None:
        """Ask until cancelled.

        Raises:
            ConfigurationError: it refuses us, and waiting will not help.
        """
        while True:
            self._note(await self._look())
            await asyncio.sleep(ASK_INTERVAL)

    def problem(self) -> str | None:
        """Return what is wrong, None when it answers."""
        return self._problem

    async def _look(self) -> str | None:
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                await self._ask()
        except ConfigurationError:
            raise
        except (QuestbellError, TimeoutError) as error:
            return str(error) or f"no answer within {ASK_TIMEOUT:.0f} s"
        return None

    def _note(self, problem: str | None) -> None:
        metrics.DEPENDENCY_UP.labels(self._name).set(problem is None)
        if problem is not None and problem != self._problem:
            self._log.warning("Waiting for a dependency", action="dependency_missing", error=problem)
        elif problem is None and self._problem is not None:
            self._log.info("A dependency answers", action="dependency_answers")
        self._problem = problem
