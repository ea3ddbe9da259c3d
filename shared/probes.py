"""Regular probes of a workload's servers, for `/readyz`. A fresh probe could take longer than the kubelet waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from shared import logs, metrics
from shared.errors import ConfigurationError, QuestbellError

PROBE_INTERVAL = 5.0
"""Seconds."""
PROBE_TIMEOUT = 10.0
"""Seconds."""

Probe = Callable[[], Awaitable[object]]
"""Returns if the dependency answers, else raises one of our errors."""


class Dependency:
    """One dependency's state."""

    def __init__(self, name: str, probe: Probe) -> None:
        self._name = name
        self._probe = probe
        self._problem: str | None = "not probed yet"
        self._log = logs.get(component="probes", dependency=name)

    async def run(self) -> None:
        """Probe until cancelled.

        Raises:
            ConfigurationError: the dependency rejects us, and waiting does not help.
        """
        while True:
            self._record(await self._find_problem())
            await asyncio.sleep(PROBE_INTERVAL)

    def problem(self) -> str | None:
        """Return what is wrong, or None."""
        return self._problem

    async def _find_problem(self) -> str | None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                await self._probe()
        except ConfigurationError:
            raise
        except (QuestbellError, TimeoutError) as error:
            return str(error) or f"no answer within {PROBE_TIMEOUT:.0f} s"
        return None

    def _record(self, problem: str | None) -> None:
        metrics.DEPENDENCY_UP.labels(self._name).set(problem is None)
        if problem is not None and problem != self._problem:
            self._log.warning("Waiting for a dependency", action="dependency_missing", error=problem)
        elif problem is None and self._problem is not None:
            self._log.info("A dependency answers", action="dependency_answers")
        self._problem = problem
