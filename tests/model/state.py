"""A game, a row and a delivery as they are in the database: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome


@dataclass(frozen=True)
class Game:
    """A game. `players` are in the order in which they joined, `offered` are those who have not taken their seat yet,
    and `answered` are those without a seat who may come or cannot."""

    id: UUID
    host_id: int
    scheduled_at: datetime
    duration: timedelta
    offsets: tuple[int, ...]
    status: GameStatus
    version: int
    message_id: int | None
    players: tuple[int, ...]
    waiting: tuple[int, ...] = ()
    capacity: int | None = None
    offered: tuple[int, ...] = ()
    answered: tuple[int, ...] = ()

    @property
    def people(self) -> set[int]:
        """The players, and the host."""
        return {*self.players, self.host_id}

    @property
    def ends_at(self) -> datetime:
        return self.scheduled_at + self.duration


@dataclass(frozen=True)
class Row:
    """A row of either schedule. `what` is a notification's kind or the status to take."""

    id: UUID
    table: str
    game_id: UUID
    what: str
    version: int
    due_at: datetime
    attempt_at: datetime | None
    offset: int | None
    game_scheduled_at: datetime | None
    user_ids: tuple[int, ...]
    user_id: int | None
    attempts: int
    outcome: Outcome | None
    settled_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.outcome is None

    @property
    def is_reminder(self) -> bool:
        return self.what == NotificationKind.REMINDER

    @property
    def identity(self) -> tuple[object, ...]:
        """What may exist once, so that it is delivered once."""
        return (self.table, self.game_id, self.what, self.offset, self.game_scheduled_at)


@dataclass(frozen=True)
class Delivery:
    """A row of the delivery ledger."""

    id: UUID
    row_id: UUID
    recipient: tuple[str, int]
    chunk: int
    mentions: tuple[int, ...]
    state: DeliveryState
    attempts: int
    first_sending_at: datetime | None
    lease_until: datetime | None
    message_id: int | None
