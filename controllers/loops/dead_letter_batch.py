"""Parks unreadable dead letters, drops unneeded ones and republishes the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from aio_pika.abc import AbstractIncomingMessage

from controllers.loops.parking import park
from controllers.loops.publishing import RowPublisher
from controllers.loops.queries import claim_dead
from controllers.loops.sources import NOTIFICATIONS, SOURCES, STATUS_TRANSITIONS, ScheduleTable
from controllers.resources.models import Source
from shared import database, logs, metrics
from shared.database import Sessions
from shared.errors import EnvelopeError
from shared.messaging.envelope import AnyEvent, StatusTransitionDue, attempt_of, decode
from shared.messaging.publisher import PublishResult


@dataclass(frozen=True)
class DeadLetter:
    """A readable dead letter."""

    message: AbstractIncomingMessage
    event: AnyEvent
    attempt: int

    @property
    def source(self) -> ScheduleTable:
        """Return its row's table."""
        return STATUS_TRANSITIONS if isinstance(self.event, StatusTransitionDue) else NOTIFICATIONS


@dataclass
class RunCounts:
    """One run's results."""

    republished: int = 0
    dropped: int = 0
    parked: int = 0
    queue_is_full: bool = False
    republished_rows: set[UUID] = field(default_factory=set)
    """If another message about such a row dies during the run, it waits for the next run."""

    @property
    def total(self) -> int:
        """Return how many messages left their dead-letter queue."""
        return self.republished + self.dropped + self.parked


@dataclass(frozen=True)
class Reconciliation:
    """One run."""

    sessions: Sessions
    publishers: Mapping[Source, RowPublisher]
    log: logs.Logger
    counts: RunCounts = field(default_factory=RunCounts)

    async def handle(self, queue: str, messages: Sequence[AbstractIncomingMessage]) -> None:
        """Park, drop or republish each message, and acknowledge it unless its main queue is full.

        Raises:
            TransientError: a server is unavailable. Unacknowledged messages stay in their queue.
        """
        letters: list[DeadLetter] = []
        for message in messages:
            _observe_age(queue, message)
            try:
                event = decode(message.body)
            except EnvelopeError as error:
                await self._park(queue, message, error)
                continue
            if event.row_id in self.counts.republished_rows:
                self._count(queue, deferred=1)
            else:
                letters.append(DeadLetter(message, event, attempt_of(message.headers)))
        for source in SOURCES.values():
            await self._republish(queue, source, [letter for letter in letters if letter.source is source])

    async def _park(self, queue: str, message: AbstractIncomingMessage, error: EnvelopeError) -> None:
        async with database.transaction(self.sessions) as session:
            await park(session, message, queue=queue, reason=str(error))
        await message.ack()
        self._count(queue, parked=1)
        self.log.warning("Parked", action="parked", message_id=message.message_id, reason=str(error))

    async def _republish(self, queue: str, source: ScheduleTable, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        in_order = sorted(letters, key=lambda letter: letter.attempt)
        latest_attempts = {letter.event.row_id: letter.attempt for letter in in_order}
        async with database.transaction(self.sessions) as session:
            claimed = await claim_dead(session, source, latest_attempts)
            batch = await self.publishers[source.name].publish(session, claimed, expiring=False)
        deferred_rows = {row.id for row in batch.rows[PublishResult.FULL]}
        republished_rows = {row.id for row in batch.rows[PublishResult.CONFIRMED]}
        handled = [letter for letter in letters if letter.event.row_id not in deferred_rows]
        for letter in handled:
            await letter.message.ack()
        self._count(
            queue,
            republished=len(republished_rows),
            dropped=len(handled) - len(republished_rows),
            deferred=len(letters) - len(handled),
        )
        self.counts.republished_rows |= republished_rows
        self.counts.queue_is_full = self.counts.queue_is_full or bool(deferred_rows)

    def _count(self, queue: str, *, republished: int = 0, dropped: int = 0, parked: int = 0, deferred: int = 0) -> None:
        self.counts.republished += republished
        self.counts.dropped += dropped
        self.counts.parked += parked
        results = {"republished": republished, "dropped": dropped, "parked": parked, "deferred": deferred}
        for result, count in results.items():
            metrics.DEAD_LETTERS_HANDLED.labels(queue, result).inc(count)


def _observe_age(queue: str, message: AbstractIncomingMessage) -> None:
    """Export a dead letter's age, if known."""
    deaths = message.headers.get("x-death")
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    died_at = latest.get("time") if isinstance(latest, dict) else None
    if isinstance(died_at, datetime):
        age = (datetime.now(UTC) - died_at).total_seconds()
        metrics.DEAD_LETTER_AGE.labels(queue).observe(max(0.0, age))
