"""Publishes claimed rows and records their results in the caller's transaction, which holds their locks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from controllers.loops import queries
from controllers.loops.sources import ClaimedRow, ScheduleTable
from shared import logs, metrics
from shared.errors import PermanentError
from shared.messaging.publisher import OutgoingMessage, Publisher, PublishResult, build_message
from shared.models import Outcome
from shared.schedule.retry import Backoff
from shared.schedule.settle import settle_and_log
from shared.settings import Timing


@dataclass(frozen=True)
class PublishedBatch:
    """A batch's rows by result, and the database's time."""

    rows: dict[PublishResult, list[ClaimedRow]]
    confirmed_at: datetime | None


@dataclass(frozen=True)
class RowPublisher:
    """Publishes one table's rows."""

    source: ScheduleTable
    publisher: Publisher
    timing: Timing
    log: logs.Logger

    async def publish(
        self, session: AsyncSession, claimed: Sequence[ClaimedRow], *, expiring: bool = True
    ) -> PublishedBatch:
        """Publish claimed rows of one queue and record their attempts. Without `expiring` the messages have no TTL.

        Confirmed rows become due again after the settle time-out, failed ones after their backoff. A full queue leaves
        its rows unchanged. A row that cannot become a message is settled.

        Raises:
            TransientError: there is no connection; nothing was sent or recorded.
        """
        rows, messages = await self._build_messages(session, claimed, expiring=expiring)
        by_result: dict[PublishResult, list[ClaimedRow]] = {result: [] for result in PublishResult}
        for row, result in zip(rows, await self._publish(rows, messages), strict=True):
            by_result[result].append(row)
        for result, published in by_result.items():
            metrics.PUBLISHES.labels(self.source.name, result.value).inc(len(published))
        confirmed_at = await self._record_confirmed(session, by_result[PublishResult.CONFIRMED])
        for result in (PublishResult.UNROUTABLE, PublishResult.FAILED):
            await self._record_failed(session, by_result[result], result)
        return PublishedBatch(by_result, confirmed_at)

    async def _publish(self, rows: Sequence[ClaimedRow], messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        return await self.publisher.publish(self.source.queue_of(rows[0]), messages) if rows else []

    async def _build_messages(
        self, session: AsyncSession, claimed: Sequence[ClaimedRow], *, expiring: bool
    ) -> tuple[list[ClaimedRow], list[OutgoingMessage]]:
        rows, messages = [], []
        for row in claimed:
            try:
                event, ttl = self.source.build(row)
                message = build_message(event, ttl=ttl if expiring else None, attempt=row.attempts + 1)
            except (PermanentError, ValueError, TypeError, KeyError) as error:
                await self._settle_unpublishable(session, row.id, error)
            else:
                rows.append(row)
                messages.append(message)
        return rows, messages

    async def _settle_unpublishable(self, session: AsyncSession, row_id: UUID, error: Exception) -> None:
        await settle_and_log(
            session,
            self.source.table,
            [row_id],
            outcome=Outcome.UNDELIVERABLE,
            detail=f"cannot be published: {error}",
            level=logging.ERROR,
            was_attempted=False,
        )

    async def _record_confirmed(self, session: AsyncSession, confirmed: Sequence[ClaimedRow]) -> datetime | None:
        if not confirmed:
            return None
        ids = [row.id for row in confirmed]
        confirmed_at = await queries.mark_published(
            session, self.source, ids, settle_timeout=self.timing.settle_interval
        )
        for row in confirmed:
            if confirmed_at is not None and row.attempts == 0:
                latency = (confirmed_at - row.due_at).total_seconds()
                metrics.PUBLISH_LATENCY.labels(self.source.name).observe(max(0.0, latency))
            self.log.info(
                "Published",
                action="published",
                notification_id=str(row.id),
                game_id=str(row.game_id),
                attempt=row.attempts + 1,
            )
        return confirmed_at

    async def _record_failed(self, session: AsyncSession, failed: Sequence[ClaimedRow], result: PublishResult) -> None:
        if not failed:
            return
        backoff = Backoff.of(self.timing)
        delays = {row.id: backoff.delay(row.attempts + 1) for row in failed}
        await queries.mark_failed(session, self.source, delays, error=f"publish {result.value}")
        for row in failed:
            self.log.warning(
                "Not published",
                action="publish_failed",
                notification_id=str(row.id),
                game_id=str(row.game_id),
                attempt=row.attempts + 1,
                reason=result.value,
            )
