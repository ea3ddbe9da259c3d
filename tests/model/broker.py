"""A broker that loses, repeats, delays and reorders: its messages stay until the run takes one."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.messaging.envelope import AnyEvent, decode
from shared.messaging.publisher import OutgoingMessage, PublishResult
from shared.messaging.topology import Queue


class Fate(enum.Enum):
    """What happens to a published message."""

    CONFIRMED = "confirmed"
    FULL = "the queue is full"
    UNROUTABLE = "there is no queue"
    FAILED = "lost, and not confirmed"
    UNHEARD = "accepted, and the confirm is lost"

    @property
    def result(self) -> PublishResult:
        """What the publisher learns."""
        return PublishResult.FAILED if self is Fate.UNHEARD else PublishResult[self.name]


@dataclass(eq=False)
class Message:
    """A message in a queue."""

    body: bytes
    headers: dict[str, Any]
    message_id: str
    expires_at: datetime | None = None

    @property
    def event(self) -> AnyEvent:
        return decode(self.body)


@dataclass(eq=False)
class DeadLetter(Message):
    """A message as the dead-letter loop takes it."""

    is_acked: bool = False

    async def ack(self) -> None:
        self.is_acked = True


@dataclass
class Broker:
    """All queues and dead-letter queues as one."""

    rank: Callable[[UUID], Any]
    """The order in which the messages of a batch meet their fates. It must be the same in each repetition of a run."""
    ready: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    now: datetime | None = None

    def begin_publish(self, fates: Sequence[Fate]) -> None:
        """Set the fates of the messages of the next publish. Further messages are confirmed."""
        self.fates = list(fates)

    async def publish(self, _queue: Queue, batch: Sequence[OutgoingMessage]) -> list[PublishResult]:
        """Take a batch, as the publisher does."""
        ranked = sorted(range(len(batch)), key=lambda place: self.rank(UUID(batch[place].properties.message_id)))
        results = {place: self._take(batch[place]) for place in ranked}
        return [results[place] for place in range(len(batch))]

    def _take(self, message: OutgoingMessage) -> PublishResult:
        fate = self.fates.pop(0) if self.fates else Fate.CONFIRMED
        properties = message.properties
        ttl = None if properties.expiration is None else timedelta(milliseconds=int(properties.expiration))
        if fate in (Fate.CONFIRMED, Fate.UNHEARD):
            expires_at = self.now + ttl if self.now and ttl is not None else None
            self.ready.append(
                Message(message.body, dict(properties.headers or {}), properties.message_id or "", expires_at)
            )
        return fate.result

    def answer(self, message: Message, *, acked: bool) -> None:
        """Take a consumer's ACK or NACK."""
        if message in self.ready:
            self.ready.remove(message)
            self.dead += [] if acked else [message]

    def repeat(self, times: int) -> list[Message]:
        """Deliver the latest message `times` times; return all of them, if there is one."""
        if not self.ready:
            return []
        first = self.ready[-1]
        more = [Message(first.body, first.headers, first.message_id, first.expires_at) for _ in range(times - 1)]
        self.ready += more
        return [first, *more]

    def expire(self, now: datetime) -> None:
        """Let time pass: messages that outlived their TTL are dead."""
        self.now = now
        expired = [message for message in self.ready if message.expires_at is not None and message.expires_at <= now]
        self.ready = [message for message in self.ready if message not in expired]
        self.dead += expired

    def lose_everything(self) -> None:
        """Lose the disk."""
        self.ready.clear()
        self.dead.clear()
