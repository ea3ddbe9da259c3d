"""A Questbell in one loop, with a model beside it.

It is driven at boundaries that outlive a rewriting of what is behind them: the actions on games, the claim and the
publishing of rows, the dead letters' batch, and the handler that the bot's consumers call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from bot.delivery.rate_limits import IN_FLIGHT_PER_CHANNEL
from controllers.loops.sources import SOURCES
from shared import database
from shared.settings import DatabaseSettings, Timing
from tests.model.bots import Bots
from tests.model.broker import Broker, Copy
from tests.model.controllers import Controllers
from tests.model.discord import Discord, dm_channel
from tests.model.ground import Ground
from tests.model.hosts import Hosts
from tests.model.model import Model
from tests.model.process import Process, owned
from tests.model.stage import BOTS, CONTROLLERS, HOSTS, Stage

_ROUNDS = 12
WANTS_DM = 7
"""The player who is told by direct message."""


class World:
    """Hosts, controllers and bots on one database."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.hosts = Hosts(stage)
        self.controllers = Controllers(stage)
        self.bots = Bots(stage)

    @classmethod
    @asynccontextmanager
    async def built(cls, settings: DatabaseSettings, timing: Timing) -> AsyncIterator[World]:
        """Build a world on a migrated database of its own, in the running loop."""
        async with AsyncExitStack() as stack:
            loop = asyncio.get_running_loop()
            stack.callback(loop.set_task_factory, loop.get_task_factory())
            loop.set_task_factory(cast(Any, owned))
            ground = await stack.enter_async_context(Ground.prepared(settings))
            processes = {}
            for name in (HOSTS, CONTROLLERS, *BOTS):
                engine = database.engine(settings, application_name=name, timing=timing)
                processes[name] = Process(name, await stack.enter_async_context(engine))
            yield cls(Stage(ground, processes, timing))

    @property
    def model(self) -> Model:
        return self._stage.model

    async def begin(self) -> None:
        """Let nothing have happened yet."""
        stage = self._stage
        for process in stage.processes.values():
            await process.bury()
        await stage.ground.wipe()
        statement = "INSERT INTO person (user_id, wants_dm, dm_channel_id) VALUES ($1, true, $2)"
        await stage.ground.execute(statement, WANTS_DM, dm_channel(WANTS_DM))
        stage.clear()
        self.bots = Bots(stage)

    @property
    def broker(self) -> Broker:
        return self._stage.broker

    @property
    def discord(self) -> Discord:
        return self._stage.discord

    async def pass_time(self, delta: timedelta) -> None:
        """Let time pass."""
        await self._stage.pass_time(delta)

    async def pass_time_to_the_next_attempt(self) -> None:
        """Let time pass until something is due, unless it is already."""
        times = [row.attempt_at for row in self.model.rows.values() if row.attempt_at is not None]
        await self.pass_time(max(timedelta(0), min(times) - self.model.now))

    def at_once(self, by: str) -> list[Copy]:
        """Return as many copies as a bot may ask for in one channel without one waiting for the other."""
        return self.broker.ready[: IN_FLIGHT_PER_CHANNEL - (by in self.bots.held)]

    async def heal(self) -> None:
        """End all trouble, and let everything that is due come to its outcome.

        Raises:
            AssertionError: something does not.
        """
        for name in BOTS:
            await self.bots.kill(name)
        due = [row.id for row in self.model.rows.values() if row.due_at <= self.model.now]
        for _ in range(_ROUNDS):
            waiting = [at for row_id in due if (at := self.model.rows[row_id].attempt_at) is not None]
            if not waiting:
                return
            await self.pass_time(max(timedelta(0), max(waiting) - self.model.now))
            for source in SOURCES.values():
                await self.controllers.dispatch(source)
            while copies := self.at_once(BOTS[0]):
                await self.bots.tell(*copies)
        raise AssertionError(f"unsettled: {[row for row_id in due if (row := self.model.rows[row_id]).is_open]}")

    async def write_as_an_older_version(self, row_id: UUID) -> None:
        """Let a row be of an older version of its game, as one that was written beside the rules."""
        row = self.model.rows[row_id]
        await self._stage.ground.execute(
            "UPDATE notification_schedule SET game_version = game_version - 1 WHERE id = $1", row_id
        )
        self.model.rows[row_id] = replace(row, version=row.version - 1)
