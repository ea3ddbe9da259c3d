"""What the controllers do: one iteration of a scheduler's loop, one batch of the dead-letter loop, and the upkeep."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from controllers.loops import queries
from controllers.loops.dead_letter_batch import Reconciliation
from controllers.loops.publishing import RowPublisher
from controllers.loops.queries import claim, requeue_published
from controllers.loops.sources import NOTIFICATIONS, SOURCES, ScheduleTable
from shared import database, logs
from shared.messaging.publisher import Publisher
from tests.model import plans
from tests.model.broker import Fate, Letter
from tests.model.run import Doing, Run
from tests.model.stage import CONTROLLERS, Stage

RETENTION_DAYS = 30


class Controllers:
    """A replica of the controllers, without its loops."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._sessions = stage.processes[CONTROLLERS].sessions

    async def dispatch(
        self, source: ScheduleTable = NOTIFICATIONS, *, fates: Sequence[Fate] = (), dies_after: int | None = None
    ) -> bool:
        """Claim and publish what is due; return whether that was done before the process died."""
        stage, run = self._stage, Run(Doing.DISPATCH, CONTROLLERS)
        claimed = plans.claimable(stage.model, source.table.__tablename__)
        stage.broker.is_asked(fates)

        def planned(whole: bool) -> None:
            plans.dispatch(stage.model, claimed, stage.broker.offers, run, whole=whole)

        return await stage.whole(run, self._publish(source), planned=planned, dies_after=dies_after)

    async def dispatch_unbuildable(self, source: ScheduleTable) -> None:
        """Claim what is due, of a source whose rows cannot be built."""
        stage, run = self._stage, Run(Doing.DISPATCH, CONTROLLERS)
        run.owed += [("unbuildable", row.id) for row in plans.claimable(stage.model, source.table.__tablename__)]
        await stage.whole(run, self._publish(source))

    async def _publish(self, source: ScheduleTable) -> None:
        async with database.transaction(self._sessions) as session:
            due = await claim(session, source, batch_size=100)
            await self._publisher(source).publish(session, due)

    def _publisher(self, source: ScheduleTable) -> RowPublisher:
        return RowPublisher(source, cast(Publisher, self._stage.broker), self._stage.timing, logs.get())

    async def reconcile(self, *, fates: Sequence[Fate] = (), dies_after: int | None = None) -> bool:
        """Handle all dead copies; return as `dispatch`."""
        stage, run = self._stage, Run(Doing.RECONCILE, CONTROLLERS)
        letters = [Letter(copy.body, copy.headers, copy.message_id) for copy in stage.broker.dead]
        copies: dict[UUID, int] = {}
        for letter in letters:
            copies[letter.event.row_id] = max(letter.attempt, copies.get(letter.event.row_id, 0))
        stage.broker.is_asked(fates)

        def planned(whole: bool) -> None:
            plans.reconcile(stage.model, copies, stage.broker.offers, run, whole=whole)

        publishers = {name: self._publisher(source) for name, source in SOURCES.items()}
        work = Reconciliation(self._sessions, publishers, logs.get()).handle("dead letters", cast(Any, letters))
        ended = await stage.whole(run, work, planned=planned, dies_after=dies_after)
        unplaced = {offer.row_id for offer in stage.broker.offers if offer.fate is Fate.FULL}
        assert not ended or all(letter.is_acked != (letter.event.row_id in unplaced) for letter in letters)
        acked = {letter.body for letter in letters if letter.is_acked}
        stage.broker.dead = [copy for copy in stage.broker.dead if copy.body not in acked]
        return ended

    async def lose_the_broker(self) -> None:
        """Let the broker lose its disk, which is noticed at the next connection."""
        self._stage.broker.lose_everything()
        run = Run(Doing.UPKEEP, CONTROLLERS)
        out = [row for row in self._stage.model.rows.values() if row.attempts > 0 and row.is_open]
        run.owed += [("rearmed", row.id) for row in out if row.attempt_at and row.attempt_at > self._stage.ground.now]

        async def work() -> None:
            async with database.transaction(self._sessions) as session:
                for source in SOURCES.values():
                    await requeue_published(session, source)

        await self._stage.whole(run, work())

    async def purge(self) -> None:
        """Delete what was settled long ago."""
        stage, run = self._stage, Run(Doing.UPKEEP, CONTROLLERS)
        then = stage.ground.now - timedelta(days=RETENTION_DAYS)
        old = [row for row in stage.model.rows.values() if row.settled_at is not None and row.settled_at < then]
        run.owed += [("purged", row.id) for row in old]

        async def work() -> None:
            async with database.transaction(self._sessions) as session:
                for source in SOURCES.values():
                    await queries.purge(session, source, retention_days=RETENTION_DAYS)

        await stage.whole(run, work())
