"""What all actions have in common: the processes, the clock, and the model that is held against the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.settings import Timing
from tests.model import table
from tests.model.broker import Broker
from tests.model.discord import Discord
from tests.model.ground import Ground
from tests.model.model import Model
from tests.model.observing import observe, pays
from tests.model.process import Process
from tests.model.run import Run

GUILD, CHANNEL, HOST = 900, 901, 902
HOSTS, CONTROLLERS, BOTS = "a host", "the controllers", ("bot a", "bot b")


class Stage:
    """Everything that is there, as it is now."""

    def __init__(self, ground: Ground, processes: dict[str, Process], timing: Timing) -> None:
        self.ground = ground
        self.processes = processes
        self.timing = timing
        self._page = table.read(table.PAGE.read_text())
        self.clear()

    def clear(self) -> None:
        """Let nothing have happened yet."""
        self.discord = Discord(remembers=2 * timedelta(seconds=self.timing.nonce_window))
        self.model = Model(self._page, self.discord, self.timing)
        self.broker = Broker(self.model.rank, now=self.ground.now)

    async def pass_time(self, delta: timedelta) -> None:
        """Let time pass."""
        now = self.ground.now + delta
        await self.ground.set_clock(now)
        self.model.now = now
        self.broker.expire(now)

    async def whole(
        self,
        run: Run,
        work: Coroutine[Any, Any, object],
        *,
        planned: Callable[[bool], None] = lambda whole: None,
        dies_after: int | None = None,
    ) -> bool:
        """Do something that asks Discord nothing, to its end or until its process dies; return whether it ended.

        `planned` enters what is owed for what the broker answered, and is told whether it has heard everything.
        """
        process = self.processes[run.who]
        process.runs.append(run)
        process.dies_after(dies_after)
        task = process.start(run, work)
        await asyncio.wait([task])
        if process.is_dead:
            planned(False)
            await self.bury(process)
            return False
        task.result()
        planned(True)
        await self.catch_up()
        self.settle(run)
        process.end(run)
        return True

    async def bury(self, process: Process) -> None:
        """Take over what a process has committed before it died, and start another in its place."""
        runs = list(process.runs)
        await process.bury()
        observe(self.model, await self.ground.changes(), [*runs, *self._runs()])
        await self.take_no_chance()

    async def catch_up(self) -> None:
        """Hold the model against what was committed since."""
        observe(self.model, await self.ground.changes(), self._runs())
        await self.take_no_chance()

    async def take_no_chance(self) -> None:
        """Let what was left to chance be the longest that it may be: a run that is repeated must go the same way."""
        for row_id in self.model.by_chance:
            row = self.model.rows[row_id]
            if row.attempt_at is not None:
                failures = max(row.attempts, 1)
                delay = min(self.timing.backoff_max, self.timing.backoff_first * 2.0 ** (failures - 1))
                attempt_at = self.model.now + timedelta(seconds=delay)
                statement = f"UPDATE {row.table} SET attempt_at = $2 WHERE id = $1"
                await self.ground.execute(statement, row_id, attempt_at)
                self.model.rows[row_id] = replace(row, attempt_at=attempt_at)
        self.model.by_chance.clear()

    def settle(self, run: Run) -> None:
        """Judge a run at its end: everything that it owed must have been seen."""
        for line, row in list(run.owed):
            seen = isinstance(row, UUID) and pays(self.model, line, row, run)
            assert seen, f"while {run.doing.value}, {line} was not seen of {row}"

    def _runs(self) -> list[Run]:
        return [run for process in self.processes.values() for run in process.runs]
