"""A broker that loses, doubles, delays and reorders: its copies lie there until the run takes one."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import aio_pika

from shared.messaging.envelope import AnyEvent, attempt_of, decode
from shared.messaging.publisher import PublishResult


class Fate(enum.Enum):
    """What becomes of a publish."""

    CONFIRMED = "confirmed"
    FULL = "the queue is full"
    UNROUTABLE = "there is no queue"
    FAILED = "lost, and not confirmed"
    UNHEARD = "taken, and the confirm is lost"

    @property
    def answer(self) -> PublishResult:
        """What the publisher learns."""
        return PublishResult.FAILED if self is Fate.UNHEARD else PublishResult[self.name]


@dataclass(eq=False)
class Copy:
    """A message in a queue."""

    body: bytes
    headers: dict[str, Any]
    message_id: str
    expires_at: datetime | None = None

    @property
    def event(self) -> AnyEvent:
        return decode(self.body)

    @property
    def attempt(self) -> int:
        return attempt_of(self.headers)


@dataclass(eq=False)
class Letter(Copy):
    """A dead copy, as the dead-letter loop takes it."""

    is_acked: bool = False

    async def ack(self) -> None:
        self.is_acked = True


@dataclass(frozen=True)
class Offer:
    """A copy that was offered to the broker, and what became of it."""

    row_id: UUID
    attempt: int
    ttl: timedelta | None
    fate: Fate


@dataclass
class Broker:
    """All queues and dead-letter queues as one."""

    rank: Callable[[UUID], Any]
    """The order of rows, by which copies of a batch meet their fates: that of a tie in a statement is nobody's."""
    ready: list[Copy] = field(default_factory=list)
    dead: list[Copy] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    now: datetime | None = None

    def is_asked(self, fates: Sequence[Fate]) -> None:
        """Begin a publish whose copies meet these fates, and are confirmed when there are no more."""
        self.offers, self.fates = [], list(fates)

    async def publish(self, batch: Sequence[aio_pika.Message]) -> list[PublishResult]:
        """Take a batch, as the publisher does."""
        ranked = sorted(range(len(batch)), key=lambda place: self.rank(UUID(batch[place].message_id)))
        answers = {place: self._take(batch[place]) for place in ranked}
        return [answers[place] for place in range(len(batch))]

    async def close(self) -> None:
        """Nothing is held."""

    def _take(self, message: aio_pika.Message) -> PublishResult:
        fate = self.fates.pop(0) if self.fates else Fate.CONFIRMED
        expiration: Any = message.expiration
        ttl = None if expiration is None else timedelta(seconds=expiration)
        copy = Copy(message.body, dict(message.headers), message.message_id or "")
        self.offers.append(Offer(UUID(copy.message_id), copy.attempt, ttl, fate))
        if fate in (Fate.CONFIRMED, Fate.UNHEARD):
            copy.expires_at = self.now + ttl if self.now and ttl is not None else None
            self.ready.append(copy)
        return fate.answer

    def answer(self, copy: Copy, *, acked: bool) -> None:
        """Take a consumer's answer for a copy that it was given."""
        if copy in self.ready:
            self.ready.remove(copy)
            self.dead += [] if acked else [copy]

    def doubled(self, times: int) -> list[Copy]:
        """Deliver the latest copy so many times; return all of them, if there is one."""
        if not self.ready:
            return []
        first = self.ready[-1]
        more = [Copy(first.body, first.headers, first.message_id, first.expires_at) for _ in range(times - 1)]
        self.ready += more
        return [first, *more]

    def expire(self, now: datetime) -> None:
        """Let time pass: what has outlived its TTL is dead."""
        self.now = now
        gone = [copy for copy in self.ready if copy.expires_at is not None and copy.expires_at <= now]
        self.ready = [copy for copy in self.ready if copy not in gone]
        self.dead += gone

    def lose_everything(self) -> None:
        """Lose the disk."""
        self.ready.clear()
        self.dead.clear()
