"""Publishing claimed rows and recording what became of each: the one engine that both loops drive.

The caller holds the rows' locks in its transaction; what is recorded here counts when that commits.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import aio_pika
from sqlalchemy.ext.asyncio import AsyncSession

from controllers.loops import queries as rows
from controllers.loops.sources import ClaimedRow, ScheduleTable
from shared import logs, metrics
from shared.errors import PermanentError
from shared.messaging.envelope import AnyEvent
from shared.messaging.publisher import Answer, Outgoing, Publisher, message
from shared.models import Outcome
from shared.schedule.retry import Backoff
from shared.schedule.settle import settle_and_log
from shared.settings import Timing


@dataclass(frozen=True)
class Published:
    """What became of a batch, row by row, and when it was confirmed by the database's clock."""

    rows: dict[Answer, list[ClaimedRow]]
    at: datetime | None


@dataclass(frozen=True)
class RowPublisher:
    """Publishes the rows of one source."""

    source: ScheduleTable
    publisher: Publisher
    timing: Timing
    log: logs.Logger

    async def publish(self, session: AsyncSession, due: Sequence[ClaimedRow], *, expiring: bool = True) -> Published:
        """Publish claimed rows, without TTL unless `expiring`, and record each one's attempt.

        Confirmed rows come back after the settle time-out, failed ones after their own backoff; what found the
        queue full is left as it was. A row that cannot be built is settled.

        Raises:
            TransientError: no connection could be had; nothing was sent or recorded.
        """
        batch = await self._build(session, due, expiring=expiring)
        answers = await self.publisher.publish([(event, prepared) for _, event, prepared in batch])
        by_answer: dict[Answer, list[ClaimedRow]] = {answer: [] for answer in Answer}
        for (row, _, _), answer in zip(batch, answers, strict=True):
            by_answer[answer].append(row)
        for answer, answered in by_answer.items():
            metrics.PUBLISHES.labels(self.source.name, answer.value).inc(len(answered))
        at = await self._record_confirmed(session, by_answer[Answer.CONFIRMED])
        for answer in (Answer.UNROUTABLE, Answer.FAILED):
            await self._record_failed(session, by_answer[answer], answer)
        return Published(by_answer, at)

    async def _build(
        self, session: AsyncSession, due: Sequence[ClaimedRow], *, expiring: bool
    ) -> list[tuple[ClaimedRow, AnyEvent, aio_pika.Message]]:
        batch = []
        for row in due:
            try:
                event, ttl = self.source.build(row)
                prepared = message(Outgoing(event, ttl if expiring else None, attempt=row.attempts + 1))
            except (PermanentError, ValueError, TypeError, KeyError) as error:
                await self._refuse(session, row.id, error)
            else:
                batch.append((row, event, prepared))
        return batch

    async def _refuse(self, session: AsyncSession, row_id: UUID, error: Exception) -> None:
        detail = f"cannot be published: {error}"
        await settle_and_log(
            session,
            self.source.table,
            [row_id],
            outcome=Outcome.UNDELIVERABLE,
            detail=detail,
            level=logging.ERROR,
            was_attempted=False,
        )

    async def _record_confirmed(self, session: AsyncSession, confirmed: Sequence[ClaimedRow]) -> datetime | None:
        if not confirmed:
            return None
        ids = [row.id for row in confirmed]
        at = await rows.mark_published(session, self.source, ids, settle_timeout=self.timing.settle_interval)
        for row in confirmed:
            if at is not None and row.attempts == 0:
                late = (at - row.due_at).total_seconds()
                metrics.PUBLISH_LATENCY.labels(self.source.name).observe(max(0.0, late))
            self.log.info(
                "Published",
                action="published",
                notification_id=str(row.id),
                game_id=str(row.game_id),
                attempt=row.attempts + 1,
            )
        return at

    async def _record_failed(self, session: AsyncSession, failed: Sequence[ClaimedRow], answer: Answer) -> None:
        if not failed:
            return
        backoff = Backoff.of(self.timing)
        delays = {row.id: backoff.delay(row.attempts + 1) for row in failed}
        await rows.mark_failed(session, self.source, delays, reason=f"publish {answer.value}")
        for row in failed:
            self.log.warning(
                "Not published",
                action="publish_failed",
                notification_id=str(row.id),
                game_id=str(row.game_id),
                attempt=row.attempts + 1,
                reason=answer.value,
            )
        if answer is Answer.UNROUTABLE:
            await self.publisher.close()  # the next connect declares what is missing
