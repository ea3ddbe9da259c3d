"""The dispatching half: the controllers' own loop over notifications, as the operator would run it, without Kubernetes.

Its publisher notes when each batch was confirmed, by the database's clock, since a settled row no longer says when it
was published.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from benchmarks.workers.serving import Answer, background, serve
from controllers.loops.dispatch import DispatchLoop
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.sources import NOTIFICATIONS
from controllers.resources.models import SchedulerSpec
from shared import database, logs, process
from shared.database import Sessions
from shared.messaging import publisher, topology
from shared.settings import BrokerSettings, DatabaseSettings, LogSettings, Timing, load


class Publisher(publisher.Publisher):
    """The product's publisher, which records what it published."""

    skew = 0.0
    """Seconds that the database's clock is ahead of ours."""

    def remember(self) -> None:
        """Forget what was published until now."""
        self.confirmed: list[tuple[UUID, float]] = []
        self.answers: Counter[str] = Counter()

    async def publish(
        self, queue: topology.Queue, batch: Sequence[publisher.OutgoingMessage]
    ) -> list[publisher.PublishResult]:
        """Publish, and record what was confirmed."""
        results = await super().publish(queue, batch)
        at = time.time() + self.skew
        self.answers.update(result.value for result in results)
        self.confirmed += [
            (UUID(message.properties.message_id), at)
            for message, result in zip(batch, results, strict=True)
            if result is publisher.PublishResult.CONFIRMED
        ]
        return results


async def main() -> None:
    """Answer requests."""
    logs.configure(load(LogSettings), workload="controllers", stream=sys.stderr)
    timing, settings = load(Timing), load(DatabaseSettings)
    async with database.engine(settings, application_name="bench dispatcher", timing=timing) as engine:
        sessions = database.sessions(engine)
        sender = Publisher(load(BrokerSettings), timing, name="bench dispatcher", on_queue_lost=_nothing)
        sender.remember()
        sender.skew = await _skew(sessions)

        def loop(batch_size: int) -> DispatchLoop:
            spec = SchedulerSpec(source=NOTIFICATIONS.name, batch_size=batch_size)
            return DispatchLoop(
                NOTIFICATIONS, spec, sessions=sessions, publisher=sender, listener=listener, timing=timing
            )

        listener = NotifyListener(settings, timing)
        async with background() as run:

            async def start(batch_size: int) -> None:
                await sender.connect()
                run(listener.run())
                run(loop(batch_size).run())

            async def published() -> Answer:
                confirmed = [(str(row_id), at) for row_id, at in sender.confirmed]
                answer = {"confirmed": confirmed, "answers": dict(sender.answers)}
                sender.remember()
                return answer

            await serve({"start": start, "published": published}, engine=engine)
        await sender.close()


async def _skew(sessions: Sessions) -> float:
    async with database.transaction(sessions) as session:
        await database.now(session)
        before = time.time()
        there = (await database.now(session)).timestamp()
        return there - (before + time.time()) / 2


async def _nothing(_queue: topology.Queue) -> None:
    return


if __name__ == "__main__":
    process.run(main())
