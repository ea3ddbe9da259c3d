"""A batch of dead letters: which are parked, which are dropped, and which rows are won and published again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from aio_pika.abc import AbstractIncomingMessage

from controllers.loops.parking import park
from controllers.loops.publishing import RowPublisher
from controllers.loops.queries import claim_copies
from controllers.loops.sources import NOTIFICATIONS, SOURCES, STATUS_TRANSITIONS, ScheduleTable
from controllers.resources.models import Source
from shared import database, logs, metrics
from shared.database import Sessions
from shared.errors import EnvelopeError
from shared.messaging.envelope import AnyEvent, StatusTransitionDue, attempt_of, decode
from shared.messaging.publisher import Answer


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter that could be read."""

    message: AbstractIncomingMessage
    event: AnyEvent
    attempt: int

    @property
    def source(self) -> ScheduleTable:
        """Where its row is."""
        return STATUS_TRANSITIONS if isinstance(self.event, StatusTransitionDue) else NOTIFICATIONS


@dataclass
class Tally:
    """What one run did."""

    republished: int = 0
    dropped: int = 0
    parked: int = 0
    full: bool = False
    seen: set[UUID] = field(default_factory=set)
    """The rows whose copies were republished in this run; a copy of one that comes back waits for the next."""

    @property
    def total(self) -> int:
        """How many messages were dealt with."""
        return self.republished + self.dropped + self.parked


@dataclass(frozen=True)
class Reconciliation:
    """Handles the batches of one run."""

    sessions: Sessions
    rows: Mapping[Source, RowPublisher]
    log: logs.Logger
    tally: Tally = field(default_factory=Tally)

    async def handle(self, queue: str, messages: Sequence[AbstractIncomingMessage]) -> None:
        """Park, drop or republish each message of a batch, and acknowledge it; what found its queue full is left
        unanswered.

        Raises:
            TransientError: the database or the broker is away. What was not acknowledged stays in its queue.
        """
        readable: list[DeadLetter] = []
        for message in messages:
            _observe_age(queue, message)
            try:
                event = decode(message.body)
            except EnvelopeError as error:
                async with database.transaction(self.sessions) as session:
                    await park(session, message, queue=queue, reason=str(error))
                await message.ack()
                self._count(queue, parked=1)
                self.log.warning("Parked", action="parked", message_id=message.message_id, reason=str(error))
            else:
                if event.row_id in self.tally.seen:
                    self._count(queue, deferred=1)
                else:
                    readable.append(DeadLetter(message, event, attempt_of(message.headers)))
        for source in SOURCES.values():
            await self._republish(queue, source, [letter for letter in readable if letter.source is source])

    async def _republish(self, queue: str, source: ScheduleTable, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        copies = {letter.event.row_id: letter.attempt for letter in sorted(letters, key=lambda it: it.attempt)}
        async with database.transaction(self.sessions) as session:
            won = await claim_copies(session, source, copies)
            published = await self.rows[source.name].publish(session, won, expiring=False)
        unplaced = {row.id for row in published.rows[Answer.FULL]}
        placed = {row.id for row in published.rows[Answer.CONFIRMED]}
        for letter in letters:
            if letter.event.row_id not in unplaced:
                await letter.message.ack()
        deferred = sum(letter.event.row_id in unplaced for letter in letters)
        self._count(queue, republished=len(placed), dropped=len(letters) - len(placed) - deferred, deferred=deferred)
        self.tally.seen |= placed
        self.tally.full = self.tally.full or bool(unplaced)

    def _count(self, queue: str, *, republished: int = 0, dropped: int = 0, parked: int = 0, deferred: int = 0) -> None:
        self.tally.republished += republished
        self.tally.dropped += dropped
        self.tally.parked += parked
        results = {"republished": republished, "dropped": dropped, "parked": parked, "deferred": deferred}
        for result, count in results.items():
            metrics.DEAD_LETTERS_HANDLED.labels(queue, result).inc(count)


def _observe_age(queue: str, message: AbstractIncomingMessage) -> None:
    """Note how long a message has been dead, if the broker says since when."""
    deaths = message.headers.get("x-death")
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    died_at = latest.get("time") if isinstance(latest, dict) else None
    if isinstance(died_at, datetime):
        age = (datetime.now(UTC) - died_at).total_seconds()
        metrics.DEAD_LETTER_AGE.labels(queue).observe(max(0.0, age))
