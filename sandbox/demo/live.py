"""What the page shows of the demo and can break: its processes, and the oracle's figures."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from sandbox.demo.environment import SandboxEnvironment
from sandbox.demo.figures import Figures, read_figures
from sandbox.demo.supervisor import Part, ServerPart, Supervisor
from sandbox.discord.changes import DemoChanged
from sandbox.oracle import history
from sandbox.servers import Report, ServerIsForeignError
from shared.errors import TransientError

INTERVAL = 1.0
"""Seconds between readings of the figures."""


class LiveDemo:
    """The demo as the page sees it."""

    def __init__(self, environment: SandboxEnvironment, *, report: Report) -> None:
        self._environment = environment
        self._figures: Figures | None = None
        parts: list[Part] = [
            environment.bot,
            environment.controllers,
            ServerPart("RabbitMQ", environment.rabbitmq),
            ServerPart("PostgreSQL", environment.postgres),
        ]
        self._supervisor = Supervisor(parts, report=report, changed=self._publish)

    async def record(self) -> None:
        """Record the games from now on, for the figures."""
        await history.install(self._environment.engine)

    async def run(self) -> None:
        """Keep the processes running and the figures up to date until cancelled."""
        self._environment.discord.engine.demo = self
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._supervisor.run())
            tasks.create_task(self._follow_figures())

    def view(self) -> dict[str, Any]:
        """Return the processes and the figures."""
        restarts = self._supervisor.restarts
        processes = [
            {"name": name, "running": running, "restarts": restarts[name]}
            for name, running in self._supervisor.running.items()
        ]
        return {"processes": processes, "figures": asdict(self._figures) if self._figures else None}

    async def kill(self, name: str) -> None:
        """Kill a process."""
        try:
            await self._supervisor.kill(name)
        except ServerIsForeignError as error:
            raise ValueError(str(error)) from error

    async def _follow_figures(self) -> None:
        while True:
            with suppress(TransientError):  # after a kill of PostgreSQL the last figures stay
                figures = await read_figures(self._environment)
                if figures != self._figures:
                    self._figures = figures
                    self._publish()
            await asyncio.sleep(INTERVAL)

    def _publish(self) -> None:
        self._environment.discord.engine.feed.publish(DemoChanged())
