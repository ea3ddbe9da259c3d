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
from controllers.loops.sources import NOTIFICATIONS, STATUS_TRANSITIONS, ScheduleTable
from controllers.resources.models import Source
from shared import database, logs, metrics
from shared.database import Sessions
from shared.errors import EnvelopeError, NewerMessageError
from shared.messaging.envelope import TRANSITION, AnyEvent, attempt_of, check_kind, decode
from shared.messaging.publisher import PublishResult
from shared.messaging.topology import TRANSITIONS, Queue
from shared.schedule.settle import find_kinds, try_again

_MAIN_QUEUES: Mapping[str | None, tuple[ScheduleTable, Queue]] = {
    **{kind: (NOTIFICATIONS, queue) for queue in NOTIFICATIONS.queues for kind in queue.kinds},
    TRANSITION: (STATUS_TRANSITIONS, TRANSITIONS),
}
"""The queue of each kind of row that this release knows."""


@dataclass(frozen=True)
class DeadLetter:
    """A readable dead letter."""

    message: AbstractIncomingMessage
    event: AnyEvent
    attempt: int


@dataclass
class RunCounts:
    """One run's results."""

    republished: int = 0
    dropped: int = 0
    parked: int = 0
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
        """Park, drop or republish each message, and acknowledge it.

        If a main queue is full, its rows become due, so that the scheduler loop waits for room.

        Raises:
            TransientError: a server is unavailable. Unacknowledged messages stay in their queue.
        """
        letters: list[DeadLetter] = []
        for message in messages:
            _observe_age(queue, message)
            try:
                event = decode(message.body)
            except NewerMessageError as error:
                self.log.info("Dropped", action="left_to_newer", message_id=message.message_id, reason=str(error))
                await self._drop(queue, message)
            except EnvelopeError as error:
                await self._park(queue, message, str(error))
            else:
                if event.row_id in self.counts.republished_rows:
                    self._count(queue, deferred=1)
                else:
                    letters.append(DeadLetter(message, event, attempt_of(message.headers)))
        for source, due in (await self._select(queue, letters)).values():
            await self._republish(queue, source, due)

    async def _drop(self, queue: str, message: AbstractIncomingMessage) -> None:
        await message.ack()
        self._count(queue, dropped=1)

    async def _park(self, queue: str, message: AbstractIncomingMessage, reason: str) -> None:
        async with database.transaction(self.sessions) as session:
            await park(session, message, queue=queue, reason=reason)
        await message.ack()
        self._count(queue, parked=1)
        self.log.warning("Parked", action="parked", message_id=message.message_id, reason=reason)

    async def _select(
        self, queue: str, letters: Sequence[DeadLetter]
    ) -> dict[Queue, tuple[ScheduleTable, list[DeadLetter]]]:
        """Group messages by their row's queue. Park those that contradict their row, and drop those that no row of this
        release needs."""
        async with database.transaction(self.sessions) as session:
            kinds = await find_kinds(session, {letter.event.row_id for letter in letters})
        selected: dict[Queue, tuple[ScheduleTable, list[DeadLetter]]] = {}
        for letter in letters:
            kind = kinds.get(letter.event.row_id)
            if kind not in _MAIN_QUEUES:
                await self._drop(queue, letter.message)
                continue
            try:
                check_kind(letter.event, kind)
            except EnvelopeError as error:
                await self._park(queue, letter.message, str(error))
            else:
                source, main_queue = _MAIN_QUEUES[kind]
                selected.setdefault(main_queue, (source, []))[1].append(letter)
        return selected

    async def _republish(self, queue: str, source: ScheduleTable, letters: Sequence[DeadLetter]) -> None:
        in_order = sorted(letters, key=lambda letter: letter.attempt)
        latest_attempts = {letter.event.row_id: letter.attempt for letter in in_order}
        async with database.transaction(self.sessions) as session:
            claimed = await claim_dead(session, source, latest_attempts)
            batch = await self.publishers[source.name].publish(session, claimed, expiring=False)
            for row in batch.rows[PublishResult.FULL]:
                await try_again(session, source.table, row.id, seconds=0.0)
        for letter in letters:
            await letter.message.ack()
        republished = {row.id for row in batch.rows[PublishResult.CONFIRMED]}
        self._count(queue, republished=len(republished), dropped=len(letters) - len(republished))
        self.counts.republished_rows |= republished

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
