"""What the model knows of a game, a row and a recipient: plain values, read from the log of changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome
from tests.model.ground import STATUS

NOBODY = UUID(int=0)
"""The id of a row that is expected and not yet written."""
FINAL = {DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN}


@dataclass(frozen=True)
class Game:
    """A session. `players` in the order they joined."""

    id: UUID
    channel_id: int
    starts_at: datetime
    duration: timedelta
    offsets: tuple[int, ...]
    status: GameStatus = GameStatus.SCHEDULED
    version: int = 1
    revision: int = 1
    message_id: int | None = None
    players: tuple[int, ...] = ()

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + self.duration

    @classmethod
    def read(cls, told: Mapping[str, Any], *, players: tuple[int, ...]) -> Game:
        hours, minutes, seconds = told["duration"].split(":")
        return cls(
            id=UUID(told["id"]),
            channel_id=told["channel_id"],
            starts_at=_time(told["scheduled_at"]),
            duration=timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds)),
            offsets=tuple(told["reminder_offsets"]),
            status=GameStatus(told["status"]),
            version=told["version"],
            revision=told["revision"],
            message_id=told["message_id"],
            players=players,
        )


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
    offset: int | None = None
    starts_at: datetime | None = None
    attempts: int = 0
    failed_attempt: int = 0
    outcome: Outcome | None = None
    settled_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.outcome is None

    @property
    def is_reminder(self) -> bool:
        return self.what == NotificationKind.REMINDER

    @property
    def identity(self) -> tuple[object, ...]:
        """What may be there once, as long as it is told once."""
        return (self.table, self.game_id, self.what, self.offset, self.starts_at)

    @classmethod
    def read(cls, table: str, told: Mapping[str, Any]) -> Row:
        return cls(
            id=UUID(told["id"]),
            table=table,
            game_id=UUID(told["game_id"]),
            what=told["target_status"] if table == STATUS else told["kind"],
            version=told["game_version"],
            due_at=_time(told["due_at"]),
            attempt_at=_time_or_none(told["attempt_at"]),
            offset=told.get("offset_minutes"),
            starts_at=_time_or_none(told.get("game_scheduled_at")),
            attempts=told["attempts"],
            failed_attempt=told["failed_attempt"],
            outcome=Outcome(told["outcome"]) if told["outcome"] else None,
            settled_at=_time_or_none(told["settled_at"]),
        )


@dataclass(frozen=True)
class Delivery:
    """A row of the ledger."""

    id: UUID
    row_id: UUID
    recipient: tuple[str, int]
    chunk: int
    mentions: tuple[int, ...]
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    first_sending_at: datetime | None = None
    lease_until: datetime | None = None
    message_id: int | None = None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Delivery:
        return cls(
            id=UUID(told["id"]),
            row_id=UUID(told["notification_id"]),
            recipient=(told["recipient_kind"], told["recipient_id"]),
            chunk=told["chunk"],
            mentions=tuple(told["mentions"]),
            state=DeliveryState(told["state"]),
            attempts=told["attempts"],
            first_sending_at=_time_or_none(told["first_sending_at"]),
            lease_until=_time_or_none(told["lease_until"]),
            message_id=told["message_id"],
        )


def difference(before: Row | Delivery | Game | None, after: Row | Delivery | Game | None) -> str:
    """Return what a change changed, for people."""
    if before is None or after is None:
        return f"{before} -> {after}"
    names = [field.name for field in fields(after) if getattr(before, field.name) != getattr(after, field.name)]
    changed = ", ".join(f"{name}: {getattr(before, name)!s} -> {getattr(after, name)!s}" for name in names)
    return f"{changed or 'nothing'} of {before}"


def _time(told: str) -> datetime:
    return datetime.fromisoformat(told)


def _time_or_none(told: str | None) -> datetime | None:
    return None if told is None else _time(told)
