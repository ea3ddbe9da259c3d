"""A Questbell in one loop.

It is driven at boundaries that survive a rewrite of what is behind them: the actions on games, the claim and the
publishing of rows, the dead letters' batch, and the handler that the bot's consumers call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, cast
from unittest.mock import patch
from uuid import UUID

from bot.delivery.rate_limits import IN_FLIGHT_PER_CHANNEL
from controllers.loops.sources import SOURCES
from shared import database
from shared.schedule.retry import Backoff
from shared.settings import DatabaseSettings, Timing
from tests.model.actions import Actions
from tests.model.bots import Bots
from tests.model.broker import Broker, Message
from tests.model.controllers import Controllers
from tests.model.discord import Discord, dm_channel
from tests.model.environment import BOTS, COMMANDS, CONTROLLERS, HOST, Environment
from tests.model.frozen_database import FrozenDatabase
from tests.model.history import History
from tests.model.process import Process, create_owned_task

_ROUNDS = 12
WANTS_DM = 7
"""The player who wants DMs."""


class World:
    """Hosts, controllers and bots on one database."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.actions = Actions(environment)
        self.controllers = Controllers(environment)
        self.bots = Bots(environment)

    @classmethod
    @asynccontextmanager
    async def built(cls, settings: DatabaseSettings, timing: Timing) -> AsyncIterator[World]:
        """Build a world on a migrated database that nothing else uses, in the running loop."""
        async with AsyncExitStack() as stack:
            loop = asyncio.get_running_loop()
            stack.callback(loop.set_task_factory, loop.get_task_factory())
            loop.set_task_factory(cast(Any, create_owned_task))
            stack.enter_context(patch.object(Backoff, "delay", _longest_delay))
            frozen = await stack.enter_async_context(FrozenDatabase.prepared(settings))
            processes = {}
            for name in (COMMANDS, CONTROLLERS, *BOTS):
                engine = database.engine(settings, application_name=name, timing=timing)
                processes[name] = Process(name, await stack.enter_async_context(engine))
            yield cls(Environment(frozen, processes, timing))

    @property
    def history(self) -> History:
        return self._environment.history

    @property
    def broker(self) -> Broker:
        return self._environment.broker

    @property
    def discord(self) -> Discord:
        return self._environment.discord

    async def reset(self) -> None:
        """Start from an empty database."""
        environment = self._environment
        for process in environment.processes.values():
            await process.restart()
        await environment.database.clear()
        statement = "INSERT INTO person (user_id, wants_dm, dm_channel_id) VALUES ($1, $2, $3)"
        for user, wants_dm in ((WANTS_DM, True), (HOST, False)):
            await environment.database.execute(statement, user, wants_dm, dm_channel(user))
        environment.reset()
        self.bots = Bots(environment)

    async def pass_time(self, delta: timedelta) -> None:
        """Let time pass."""
        await self._environment.pass_time(delta)

    async def pass_time_to_the_next_attempt(self) -> None:
        """Let time pass until something is due, unless it is already."""
        times = [row.attempt_at for row in self.history.rows.values() if row.attempt_at is not None]
        await self.pass_time(max(timedelta(0), min(times) - self.history.now))

    def concurrent_messages(self, by: str) -> list[Message]:
        """Return as many messages as a bot can handle in one channel without one waiting for the other."""
        return self.broker.ready[: IN_FLIGHT_PER_CHANNEL - (by in self.bots.held)]

    async def settle_everything(self) -> None:
        """End all trouble, and let every row that is due, and every row that follows from one, get its outcome.

        Raises:
            AssertionError: a row does not.
        """
        for name in BOTS:
            await self.bots.kill(name)
        later = {row.id for row in self.history.rows.values() if row.due_at > self.history.now}
        for _ in range(_ROUNDS):
            rows = [row for row in self.history.rows.values() if row.id not in later and row.is_open]
            waiting = [row.attempt_at for row in rows if row.attempt_at is not None]
            if not waiting:
                return
            await self.pass_time(max(timedelta(0), max(waiting) - self.history.now))
            for source in SOURCES.values():
                await self.controllers.dispatch(source)
            while messages := self.concurrent_messages(BOTS[0]):
                await self.bots.handle(*messages)
        raise AssertionError(f"unsettled: {rows}")

    async def transitions(self) -> set[str]:
        """Return the keys of the transitions that were seen since the reset."""
        return await self._environment.database.transitions()

    async def write_as_an_older_version(self, row_id: UUID) -> None:
        """Give a row an older version than its game."""
        await self._environment.database.execute(
            "UPDATE notification_schedule SET game_version = game_version - 1 WHERE id = $1", row_id
        )
        await self._environment.observe()


def _longest_delay(backoff: Backoff, attempt: int) -> float:
    """Return the delay without jitter: a run that is repeated must go the same way."""
    return min(backoff.longest, backoff.first * 2.0 ** (max(attempt, 1) - 1))
