"""Starts again what dies in the demo, as a cluster does, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

from sandbox.servers import Postgres, RabbitMQ, Report, ServerFailedError
from shared.schedule.retry import Backoff

RESTART = Backoff(first=2.0, longest=10.0)
"""Delays before a start. They grow while starts fail."""


class Part(Protocol):
    """A workload or a server of the demo."""

    name: str

    async def start(self) -> None:
        """Return when it is ready. Raises ServerFailedError."""

    async def kill(self) -> None:
        """Kill it, as in a crash."""

    async def ended(self) -> None:
        """Return when it has ended."""


class ServerPart:
    """A server of the demo. It ends only by `kill`."""

    def __init__(self, name: str, server: Postgres | RabbitMQ) -> None:
        self.name = name
        self._server = server
        self._killed = asyncio.Event()

    async def start(self) -> None:
        """Return when it is ready."""
        await self._server.start()
        self._killed.clear()

    async def kill(self) -> None:
        """Kill it. Raises ServerIsForeignError for a server that a setting names."""
        await self._server.kill()
        self._killed.set()

    async def ended(self) -> None:
        """Return when it has been killed."""
        await self._killed.wait()


class Supervisor:
    """Keeps parts running. `changed` is called when one has ended or runs again."""

    def __init__(self, parts: Sequence[Part], *, report: Report, changed: Callable[[], None] = lambda: None) -> None:
        self.running = {part.name: True for part in parts}
        self.restarts = {part.name: 0 for part in parts}
        self._parts = {part.name: part for part in parts}
        self._report = report
        self._changed = changed

    async def run(self) -> None:
        """Start parts again until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for part in self._parts.values():
                tasks.create_task(self._keep_running(part))

    async def kill(self, name: str) -> None:
        """Kill a part. Raises LookupError for an unknown name."""
        if name not in self._parts:
            raise LookupError(f"there is no {name!r}; there are {', '.join(self._parts)}")
        await self._parts[name].kill()

    async def _keep_running(self, part: Part) -> None:
        while True:
            await part.ended()
            self._record(part, running=False)
            self._report(f"{part.name} died; it is started again")
            await self._start(part)
            self.restarts[part.name] += 1
            self._record(part, running=True)
            self._report(f"{part.name} is ready again")

    async def _start(self, part: Part) -> None:
        for attempt in count(1):
            await asyncio.sleep(RESTART.delay(attempt))
            try:
                await part.start()
            except ServerFailedError as error:
                self._report(f"{part.name} does not start: {str(error).splitlines()[-1]}")
            else:
                return

    def _record(self, part: Part, *, running: bool) -> None:
        self.running[part.name] = running
        self._changed()
