"""`questbell controllers` or `questbell bot` as a separate process, as a user runs it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from sandbox.servers.network import free_port
from sandbox.servers.process import Process

READY_WITHIN = 60.0
"""Seconds for a workload to become ready."""


class Workload:
    """One workload as a process."""

    def __init__(self, name: str, *, directory: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self.health = f"http://127.0.0.1:{(port := free_port())}"
        self.process = Process(
            f"questbell {name}",
            [sys.executable, "-m", "cli", name],
            ready=self._is_ready,
            ready_within=READY_WITHIN,
            log=self.log,
            environment={**settings, "QUESTBELL_HEALTH_PORT": str(port), "HOME": str(directory)},
        )

    async def __aenter__(self) -> Self:
        """Start and wait until it is ready."""
        await self.process.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop in order."""
        await self.process.stop()

    async def start(self) -> None:
        """Start it again, and return when it is ready. Raises ServerFailedError."""
        await self.process.start()

    async def kill(self) -> None:
        """Kill it, as in a crash."""
        await self.process.kill()

    @property
    def pid(self) -> int | None:
        """The id of its process, None if it is not running."""
        return self.process.pid

    async def ended(self) -> None:
        """Return when the process has ended, by itself or stopped."""
        await self.process.ended()

    async def _is_ready(self) -> bool:
        try:
            timeout = aiohttp.ClientTimeout(total=1.0)
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"{self.health}/readyz") as answer:
                return answer.ok
        except (aiohttp.ClientError, TimeoutError):
            return False
