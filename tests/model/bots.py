"""What the bots do: handling copies as their consumers do, with every request to Discord stopped until it is decided
what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

from bot.consumers.handler import EventHandler
from bot.delivery.rate_limits import RateLimiter
from bot.delivery.sender import Sender
from bot.main import event_handler
from shared.discord.client import DiscordClient
from tests.model.answers import hear, reach
from tests.model.broker import Copy
from tests.model.discord import Answer, Api, Call
from tests.model.endings import finish
from tests.model.process import Process
from tests.model.requests import check
from tests.model.run import Doing, Run
from tests.model.stage import BOTS, CHANNEL, Stage

_TICK = timedelta(milliseconds=1)
"""No two turns begin in the same microsecond."""
_STUCK = 60.0
"""Seconds after which a telling that neither ends nor asks anything is stuck."""


@dataclass
class Telling:
    """Copies that a bot is handling."""

    run: Run
    process: Process
    tasks: dict[Copy, asyncio.Task[None]]
    answers: list[Answer]
    directly: list[Answer]
    dies_before_the_ack: bool
    held: Call | None = None
    answered: set[Copy] = field(default_factory=set)


class Bots:
    """Two bots on one database, of which one may be the other's frozen or late predecessor."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._calls: dict[str, list[Call]] = {name: [] for name in BOTS}
        self._handlers = {name: self._born(name) for name in BOTS}
        self._held: dict[str, Telling] = {}

    @property
    def held(self) -> list[str]:
        """The bots of which a request is on its way."""
        return sorted(self._held)

    def _born(self, name: str) -> EventHandler:
        """Return what a bot's consumers call; it remembers nothing of an earlier life."""
        stage = self._stage
        api = cast(DiscordClient, Api(self._calls[name].append, lambda: stage.ground.now))
        return event_handler(Sender(stage.processes[name].sessions, api, RateLimiter(1000.0), stage.timing))

    async def tell(
        self,
        *copies: Copy,
        by: str = BOTS[0],
        answers: Sequence[Answer] = (),
        directly: Sequence[Answer] = (),
        dies_after: int | None = None,
        dies_before_the_ack: bool = False,
    ) -> bool:
        """Handle copies at once; return whether the bot lived on.

        Requests about channels, and those about direct messages, are answered as given in the order they are made,
        and then with yes.
        """
        model, process = self._stage.model, self._stage.processes[by]
        if any(one.first_sending_at == model.now for one in model.deliveries.values()):
            await self._stage.pass_time(_TICK)
        run = Run(Doing.TELL, by, rows={copy.event.row_id for copy in copies})
        over = [row for row_id in run.rows if (row := model.rows.get(row_id)) is not None and not row.is_open]
        run.owed += [("ignored", row.id) for row in over]
        model.begins(run)
        process.runs.append(run)
        process.dies_after(dies_after)
        tasks = {copy: process.start(run, self._handlers[by](copy.event)) for copy in copies}
        return await self._go_on(Telling(run, process, tasks, list(answers), list(directly), dies_before_the_ack))

    async def thaw(self, by: str, told: Answer = Answer.YES) -> bool:
        """Answer the request that is on its way, and return as `tell`. One that took too long was lost before Discord
        heard it."""
        on = self._held.pop(by)
        call, on.held = on.held, None
        assert call is not None
        is_late = self._stage.ground.now - call.at > timedelta(seconds=self._stage.timing.nonce_window)
        if is_late and not call.is_taken:
            told = Answer.LOST
        elif call.is_taken and told is not Answer.LOST:
            told = Answer.YES
        hear(self._stage.model, call, told)
        return await self._go_on(on)

    async def kill(self, by: str) -> None:
        """Kill a bot; what it held is forgotten, and another is started."""
        self._stage.processes[by].die()
        await self._bury(by)

    async def _go_on(self, on: Telling) -> bool:
        """Let a telling run until it ends, its bot dies, or nothing is left of it but a request that is held."""
        async with asyncio.timeout(_STUCK):
            while not on.process.is_dead:
                await on.process.comes_to_rest()
                if not on.process.is_dead and await self._has_stopped(on):
                    return True
        await self._bury(on.process.name)
        return False

    async def _has_stopped(self, on: Telling) -> bool:
        """Judge what came of it so far, and decide about one request; return whether there is nothing left to decide.

        A bot that is to die before the ACK dies here.
        """
        await self._stage.catch_up()
        self._take_calls(on)
        is_over = all(task.done() for task in on.tasks.values())
        if is_over and on.dies_before_the_ack:
            on.process.die()
            return False
        if not on.dies_before_the_ack:
            self._answer_copies(on)
        if calls := self._calls[on.process.name]:
            self._decide(on, calls.pop(0))
            return False
        if is_over:
            self._stage.settle(on.run)
            on.process.end(on.run)
        elif on.held is not None:
            self._held[on.process.name] = on
        return is_over or on.held is not None

    def _take_calls(self, on: Telling) -> None:
        """Judge the requests that were made, and put them in an order that does not depend on speed."""
        made = self._calls[on.process.name]
        for call in made[:]:
            if not call.is_checked:
                call.place = check(self._stage.model, call)
                call.is_checked = True
        made.sort(key=lambda call: call.place)

    def _decide(self, on: Telling, call: Call) -> None:
        """Decide what becomes of a request. One bot holds at most one: Discord's places are few."""
        answers = on.answers if call.channel_id == CHANNEL else on.directly
        told = answers.pop(0) if answers else Answer.YES
        if told in (Answer.DIES, Answer.TAKEN_DIES):
            reach(self._stage.model, call, told)
            on.process.die()
        elif told in (Answer.HELD, Answer.TAKEN_HELD) and call.kind != "read" and self._may_hold(on):
            reach(self._stage.model, call, told)
            on.held = call
        else:
            hear(self._stage.model, call, told)

    def _may_hold(self, on: Telling) -> bool:
        return on.held is None and on.process.name not in self._held

    def _answer_copies(self, on: Telling) -> None:
        """Judge the rows of which all copies are handled, and answer the broker."""
        for row_id in {copy.event.row_id for copy in on.tasks.keys() - on.answered}:
            ends = {copy: task for copy, task in on.tasks.items() if copy.event.row_id == row_id}
            if all(task.done() for task in ends.values()):
                results = {copy: task.exception() for copy, task in ends.items()}
                finish(self._stage.model, on.run, row_id, list(results.values()))
                for copy, result in results.items():
                    self._stage.broker.answer(copy, acked=result is None)
                on.answered |= results.keys()

    async def _bury(self, name: str) -> None:
        await self._stage.bury(self._stage.processes[name])
        self._calls[name].clear()
        self._handlers[name] = self._born(name)
        self._held.pop(name, None)
