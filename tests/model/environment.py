"""What all actions of a run share: the processes, the clock, the stubs and the history."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from shared.settings import Timing
from tests.model.broker import Broker
from tests.model.discord import Discord
from tests.model.frozen_database import FrozenDatabase
from tests.model.history import History
from tests.model.process import Process

GUILD, CHANNEL, HOST = 900, 901, 902
COMMANDS, CONTROLLERS, BOTS = "commands", "controllers", ("bot a", "bot b")


class Environment:
    """Everything of a run, as it is now."""

    def __init__(self, database: FrozenDatabase, processes: dict[str, Process], timing: Timing) -> None:
        self.database = database
        self.processes = processes
        self.timing = timing
        self.reset()

    def reset(self) -> None:
        """Forget what happened."""
        self.discord = Discord(remembers=2 * timedelta(seconds=self.timing.nonce_window))
        self.history = History(self.discord)
        self.broker = Broker(self.history.rank, now=self.database.now)

    async def pass_time(self, delta: timedelta) -> None:
        """Let time pass."""
        now = self.database.now + delta
        await self.database.set_clock(now)
        self.history.now = now
        self.broker.expire(now)

    async def observe(self) -> None:
        """Read what was committed."""
        await self.history.read(self.database)

    async def run(self, name: str, work: Coroutine[Any, Any, object], *, dies_after: int | None = None) -> bool:
        """Run something that does not call Discord; return whether it ended before its process died."""
        process = self.processes[name]
        process.die_after(dies_after)
        task = process.start(work)
        await asyncio.wait([task])
        if process.is_dead:
            await self.restart(process)
            return False
        task.result()
        process.finish()
        await self.observe()
        return True

    async def restart(self, process: Process) -> None:
        """Restart a dead process and read what it had committed."""
        await process.restart()
        await self.observe()
