"""The consuming half: the bot's own consumers, handlers, messenger and ledger, with a Discord that responds at once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from benchmarks.workers.discord import InstantDiscord, no_limits
from benchmarks.workers.serving import Answer, Command, Run, background, serve
from benchmarks.workers.stopwatch import Stopwatch
from bot.delivery.sender import Sender
from bot.main import event_handler
from shared import database, logs, process
from shared.database import Sessions
from shared.messaging import topology
from shared.messaging.consumer import Consumer, Handler
from shared.messaging.envelope import AnyEvent
from shared.messaging.topology import Queue
from shared.settings import BrokerSettings, DatabaseSettings, LogSettings, Timing, load


class Bot:
    """Consumes on request."""

    def __init__(self, sessions: Sessions, timing: Timing, run: Run) -> None:
        self._timing = timing
        self._run = run
        self._discord = InstantDiscord()
        self._handler = event_handler(Sender(sessions, self._discord, no_limits(), timing))
        self._attached: list[asyncio.Task[None]] = []

    async def attach(self) -> None:
        """Consume every queue, as the bot does, until `detach`."""
        consumers = self._consumers(topology.QUEUES)
        self._attached = [self._run(consumer.run()) for consumer in consumers]
        while not all(consumer.attached for consumer in consumers):  # noqa: ASYNC110 -- readiness is asked for, as probes do
            await asyncio.sleep(0.01)

    async def detach(self) -> None:
        """Finish what is in flight and stop consuming."""
        await _ended(self._attached)

    async def consume(self, count: int) -> Answer:
        """Handle `count` reminders; return the time from the arrival of the first to the end of the last."""
        watch = Stopwatch(count)

        async def handle(event: AnyEvent) -> None:
            with watch.lap():
                await self._handler(event)

        [consumer] = self._consumers([topology.REMINDERS], handle)
        task = self._run(consumer.run())
        took = await watch.read()
        await _ended([task])
        return took

    async def messages(self) -> Answer:
        """Return the messages that Discord created since the last call."""
        created, self._discord.created = self._discord.created, []
        return {"messages": [message.as_json() for message in created]}

    def _consumers(self, queues: Sequence[Queue], handler: Handler | None = None) -> list[Consumer]:
        broker = load(BrokerSettings)
        return [Consumer(broker, self._timing, queue=queue, handler=handler or self._handler) for queue in queues]


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def main() -> None:
    """Answer requests."""
    logs.configure(load(LogSettings), workload="bot", stream=sys.stderr)
    timing, settings = load(Timing), load(DatabaseSettings)
    async with database.engine(settings, application_name="bench bot", timing=timing) as engine, background() as run:
        bot = Bot(database.sessions(engine), timing, run)
        commands: dict[str, Command] = {
            "attach": bot.attach,
            "detach": bot.detach,
            "consume": bot.consume,
            "messages": bot.messages,
        }
        await serve(commands, engine=engine)


if __name__ == "__main__":
    process.run(main())
