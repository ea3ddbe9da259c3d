"""The schedule: one row for each thing that must be told, or each status that must change, at a time.

The row decides and is the only queue that must not be lost; a message in RabbitMQ is a copy of it. `attempt_at`
says when a scheduler loop may next take the row and is NULL once it is settled, so the partial index on it holds
the open rows alone.
"""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from shared.models.base import Base, new_id, text_enum
from shared.models.game import GameStatus


class NotificationKind(enum.StrEnum):
    """What is told. All but reminders are notices: due at once, without TTL."""

    REMINDER = "reminder"
    ANNOUNCEMENT = "announcement"
    CANCELLATION = "cancellation"


class Outcome(enum.StrEnum):
    """How a row ended. Each settled row has exactly one."""

    DELIVERED = "delivered"
    PARTLY_DELIVERED = "partly_delivered"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    UNDELIVERABLE = "undeliverable"
    APPLIED = "applied"


class DueRow:
    """The columns that make a row schedulable; the loops know nothing else of it."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    game_version: Mapped[int]
    due_at: Mapped[datetime]
    attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    failed_attempt: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """The latest attempt whose failure was recorded; its dead copy need not be looked at any more."""
    last_error: Mapped[str | None]
    settled_at: Mapped[datetime | None]
    outcome: Mapped[Outcome | None] = mapped_column(text_enum(Outcome, name="outcome"))
    outcome_detail: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @declared_attr
    def game_id(cls) -> Mapped[UUID]:
        """Return the column of the game this row belongs to."""
        return mapped_column(ForeignKey("game.id", ondelete="CASCADE"))


def _settled_as_one() -> CheckConstraint:
    """Return the rule that a row has an outcome exactly when it is settled, and a next attempt exactly when it is
    not."""
    return CheckConstraint(
        "(settled_at IS NULL) = (outcome IS NULL) AND (settled_at IS NULL) = (attempt_at IS NOT NULL)", name="settled"
    )


class NotificationSchedule(DueRow, Base):
    """Something that must be told. A reminder's identity is (game, kind, offset, the time it is for)."""

    __tablename__ = "notification_schedule"
    __table_args__ = (
        _settled_as_one(),
        CheckConstraint("(kind = 'reminder') = (offset_minutes IS NOT NULL)", name="offset"),
        Index("ix_notification_schedule_attempt_at", "attempt_at", postgresql_where=text("attempt_at IS NOT NULL")),
        Index("ix_notification_schedule_game_id", "game_id"),
        Index("ix_notification_schedule_settled_at", "settled_at", postgresql_where=text("settled_at IS NOT NULL")),
        Index(
            "uq_notification_schedule_reminder",
            "game_id",
            "kind",
            "offset_minutes",
            "game_scheduled_at",
            unique=True,
            postgresql_where=text("kind = 'reminder'"),
        ),
        Index(
            "uq_notification_schedule_open_notice",
            "game_id",
            "kind",
            unique=True,
            postgresql_where=text("kind <> 'reminder' AND settled_at IS NULL"),
        ),
    )

    kind: Mapped[NotificationKind] = mapped_column(text_enum(NotificationKind, name="kind"))
    offset_minutes: Mapped[int | None]
    game_scheduled_at: Mapped[datetime]


class GameStatusSchedule(DueRow, Base):
    """A status that a game must take at a time."""

    __tablename__ = "game_status_schedule"
    __table_args__ = (
        _settled_as_one(),
        Index("ix_game_status_schedule_attempt_at", "attempt_at", postgresql_where=text("attempt_at IS NOT NULL")),
        Index("ix_game_status_schedule_settled_at", "settled_at", postgresql_where=text("settled_at IS NOT NULL")),
        Index(
            "uq_game_status_schedule_open",
            "game_id",
            "target_status",
            unique=True,
            postgresql_where=text("settled_at IS NULL"),
        ),
        Index("ix_game_status_schedule_game_id", "game_id"),
    )

    target_status: Mapped[GameStatus] = mapped_column(text_enum(GameStatus, name="target_status"))
