"""The actions of the controllers: one iteration of a scheduler loop or the dead-letter loop, and housekeeping."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from controllers.loops import queries
from controllers.loops.dead_letter_batch import Reconciliation
from controllers.loops.publishing import RowPublisher
from controllers.loops.queries import claim, requeue_published
from controllers.loops.sources import NOTIFICATIONS, SOURCES, ScheduleTable
from shared import database, logs
from shared.messaging.publisher import Publisher
from tests.model.broker import DeadLetter, Fate
from tests.model.environment import CONTROLLERS, Environment

RETENTION = timedelta(days=30)


class Controllers:
    """A replica of the controllers, without its loops. Each action returns whether it was done before it died."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._sessions = environment.processes[CONTROLLERS].sessions

    async def dispatch(
        self, source: ScheduleTable = NOTIFICATIONS, *, fates: Sequence[Fate] = (), dies_after: int | None = None
    ) -> bool:
        """Claim and publish what is due."""
        self._environment.broker.begin_publish(fates)
        return await self._environment.run(CONTROLLERS, self._publish(source), dies_after=dies_after)

    async def _publish(self, source: ScheduleTable) -> None:
        async with database.transaction(self._sessions) as session:
            due = await claim(session, source, batch_size=100)  # the model has one queue
            await self._publisher(source).publish(session, due)

    def _publisher(self, source: ScheduleTable) -> RowPublisher:
        broker = cast(Publisher, self._environment.broker)
        return RowPublisher(source, broker, self._environment.timing, logs.get())

    async def reconcile(self, *, fates: Sequence[Fate] = (), dies_after: int | None = None) -> bool:
        """Handle all dead letters."""
        broker = self._environment.broker
        letters = [DeadLetter(message.body, message.headers, message.message_id) for message in broker.dead]
        broker.begin_publish(fates)
        publishers = {name: self._publisher(source) for name, source in SOURCES.items()}
        work = Reconciliation(self._sessions, publishers, logs.get()).handle("dead letters", cast(Any, letters))
        ended = await self._environment.run(CONTROLLERS, work, dies_after=dies_after)
        assert not ended or all(letter.is_acked for letter in letters)
        acked = {letter.body for letter in letters if letter.is_acked}
        broker.dead = [message for message in broker.dead if message.body not in acked]
        return ended

    async def lose_the_broker(self) -> bool:
        """Let the broker lose its disk, which is noticed at the next connection."""
        self._environment.broker.lose_everything()

        async def work() -> None:
            for source in SOURCES.values():
                settle_timeout = self._environment.timing.settle_interval
                await requeue_published(self._sessions, source, settle_timeout=settle_timeout)

        return await self._environment.run(CONTROLLERS, work())

    async def purge(self) -> bool:
        """Delete what was settled before the retention time."""

        async def work() -> None:
            async with database.transaction(self._sessions) as session:
                for source in SOURCES.values():
                    await queries.purge(session, source, retention_days=RETENTION.days)

        return await self._environment.run(CONTROLLERS, work())
