"""The actions of the bots: they handle messages as their consumers do, and each request to Discord stops until the run
decides its answer."""

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
from shared.errors import TransientError
from tests.model.broker import Message
from tests.model.discord import Answer, Call, StubClient
from tests.model.environment import BOTS, Environment
from tests.model.judge import judge_request
from tests.model.process import Process

_TICK = timedelta(milliseconds=1)
"""No two leases are acquired in the same microsecond."""
_STUCK_AFTER = 60.0
"""Seconds after which a delivery that neither ends nor calls Discord is stuck."""


@dataclass
class Delivery:
    """Messages that a bot is handling."""

    process: Process
    tasks: dict[Message, asyncio.Task[None]]
    answers: list[Answer]
    dm_answers: list[Answer]
    dies_before_the_ack: bool
    held: Call | None = None
    answered: set[Message] = field(default_factory=set)


class Bots:
    """Two bots on one database. One may be the frozen or slow predecessor of the other."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._calls: dict[str, list[Call]] = {name: [] for name in BOTS}
        self._handlers = {name: self._start(name) for name in BOTS}
        self._held: dict[str, Delivery] = {}
        self._sent: set[tuple[object, ...]] = set()

    @property
    def held(self) -> list[str]:
        """The bots that wait for an answer of Discord."""
        return sorted(self._held)

    def _start(self, name: str) -> EventHandler:
        """Return what the consumers of a new process call."""
        environment = self._environment
        client = cast(DiscordClient, StubClient(self._calls[name].append, lambda: environment.database.now))
        sender = Sender(environment.processes[name].sessions, client, RateLimiter(1000.0), environment.timing)
        return event_handler(sender)

    async def handle(
        self,
        *messages: Message,
        by: str = BOTS[0],
        answers: Sequence[Answer] = (),
        dm_answers: Sequence[Answer] = (),
        dies_after: int | None = None,
        dies_before_the_ack: bool = False,
    ) -> bool:
        """Handle messages at the same time; return whether the bot survived.

        Requests about channels, and those about DMs, get their answers in the order they are made, and then yes.
        """
        history, process = self._environment.history, self._environment.processes[by]
        if any(delivery.first_sending_at == history.now for delivery in history.deliveries.values()):
            await self._environment.pass_time(_TICK)
        process.die_after(dies_after)
        tasks = {message: process.start(self._handlers[by](message.event)) for message in messages}
        return await self._continue(Delivery(process, tasks, list(answers), list(dm_answers), dies_before_the_ack))

    async def answer_held(self, by: str, answer: Answer = Answer.YES) -> bool:
        """Answer the request that a bot waits for; return as `handle`. A request that took too long was lost before it
        arrived."""
        delivery = self._held.pop(by)
        call, delivery.held = delivery.held, None
        assert call is not None
        is_late = self._environment.database.now - call.at > timedelta(seconds=self._environment.timing.nonce_window)
        if is_late and not call.is_done:
            answer = Answer.LOST
        elif call.is_done and answer is not Answer.LOST:
            answer = Answer.YES
        self._environment.discord.answer(call, answer, self._environment.database.now)
        return await self._continue(delivery)

    async def kill(self, by: str) -> None:
        """Kill a bot and start another."""
        self._environment.processes[by].die()
        await self._restart(by)

    async def _continue(self, delivery: Delivery) -> bool:
        """Run a delivery until it ends, its bot dies, or only a held request is left."""
        async with asyncio.timeout(_STUCK_AFTER):
            while not delivery.process.is_dead:
                await delivery.process.wait_until_idle()
                if not delivery.process.is_dead and await self._has_stopped(delivery):
                    return True
        await self._restart(delivery.process.name)
        return False

    async def _has_stopped(self, delivery: Delivery) -> bool:
        """Check what happened and answer one request; return whether none is left to answer.

        A bot that is to die before the ACK dies here.
        """
        await self._environment.observe()
        self._check_calls(delivery)
        is_over = all(task.done() for task in delivery.tasks.values())
        if is_over and delivery.dies_before_the_ack:
            delivery.process.die()
            return False
        if not delivery.dies_before_the_ack:
            self._answer_messages(delivery)
        if calls := self._calls[delivery.process.name]:
            self._answer(delivery, calls.pop(0))
            return False
        if is_over:
            delivery.process.finish()
        elif delivery.held is not None:
            self._held[delivery.process.name] = delivery
        return is_over or delivery.held is not None

    def _check_calls(self, delivery: Delivery) -> None:
        """Judge new requests, and sort them into an order that does not depend on speed."""
        calls = self._calls[delivery.process.name]
        for call in calls:
            if not call.is_checked:
                judge_request(self._environment.history, call, self._sent)
                call.is_checked = True
        calls.sort(key=self._place)

    def _place(self, call: Call) -> tuple[object, ...]:
        history = self._environment.history
        if call.delivery_id is not None:
            delivery = history.deliveries[call.delivery_id]
            return ("create", *history.rank(delivery.row_id), delivery.chunk, delivery.recipient)
        shown = [number for number, game in enumerate(history.games.values()) if game.message_id == call.message_id]
        return (call.kind, call.channel_id, shown)

    def _answer(self, delivery: Delivery, call: Call) -> None:
        """Answer a request. A bot waits for at most one, because Discord's channels have few slots."""
        answers = delivery.dm_answers if call.is_dm else delivery.answers
        answer = answers.pop(0) if answers else Answer.YES
        discord, now = self._environment.discord, self._environment.database.now
        if answer.is_done and (answer.is_held or answer is Answer.DONE_DIES):
            discord.do(call, now)
        if answer in (Answer.DIES, Answer.DONE_DIES):
            delivery.process.die()
        elif answer.is_held and call.kind != "read" and self._may_hold(delivery):
            delivery.held = call
        else:
            discord.answer(call, answer, now)

    def _may_hold(self, delivery: Delivery) -> bool:
        return delivery.held is None and delivery.process.name not in self._held

    def _answer_messages(self, delivery: Delivery) -> None:
        """Give the broker the ACK or NACK of each message that is handled."""
        for message in [message for message, task in delivery.tasks.items() if task.done()]:
            if message not in delivery.answered:
                error = delivery.tasks[message].exception()
                assert error is None or isinstance(error, TransientError), f"{message.event} ended in {error!r}"
                self._environment.broker.answer(message, acked=error is None)
                delivery.answered.add(message)

    async def _restart(self, name: str) -> None:
        await self._environment.restart(self._environment.processes[name])
        self._calls[name].clear()
        self._handlers[name] = self._start(name)
        self._held.pop(name, None)
