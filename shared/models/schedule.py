"""The schedule: one row for each notification and each status transition.

The row decides everything, and a message only names it. `attempt_at` is when a loop may next claim the row. It is NULL
once the row is settled, so its partial index contains only open rows.
"""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from shared.models.base import Base, new_id, text_enum
from shared.models.game import GameStatus


class NotificationKind(enum.StrEnum):
    """What a notification is about. All but the two kinds of reminders are notices, which have no TTL."""

    REMINDER = "reminder"
    ANNOUNCEMENT = "announcement"
    CANCELLATION = "cancellation"
    WARNING = "warning"
    """To the host alone: something about the game cannot be delivered."""
    CHANGE = "change"
    """The game has another time."""
    DROP_OUT = "drop_out"
    """Players have left. Only the host is notified."""
    PROMOTION = "promotion"
    """The user has got a seat from the waitlist."""
    PERSONAL_REMINDER = "personal_reminder"
    """A reminder for one player: an extra one, or one that they snoozed."""
    MINIMUM = "minimum"
    """Too few players have a seat. The host is asked whether to cancel the game."""
    OFFER_END = "offer_end"
    """The user has not taken the seat that they were offered. It goes to the next, and they are notified."""
    NUDGE = "nudge"
    """A role, or the players of earlier games who have not answered, are asked whether they can come."""


class Outcome(enum.StrEnum):
    """Each settled row has exactly one outcome."""

    DELIVERED = "delivered"
    PARTLY_DELIVERED = "partly_delivered"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    UNDELIVERABLE = "undeliverable"
    APPLIED = "applied"


class DueRow:
    """The columns of all scheduled rows."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    game_version: Mapped[int]
    due_at: Mapped[datetime]
    attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    failed_attempt: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """The latest failed attempt. Its dead letter needs no handling."""
    last_error: Mapped[str | None]
    settled_at: Mapped[datetime | None]
    outcome: Mapped[Outcome | None] = mapped_column(text_enum(Outcome, name="outcome"))
    outcome_detail: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @declared_attr
    def game_id(cls) -> Mapped[UUID]:
        """Return the column of the row's game."""
        return mapped_column(ForeignKey("game.id", ondelete="CASCADE"))


def _settled_constraint() -> CheckConstraint:
    """A settled row has an outcome, and an open row has a next attempt."""
    return CheckConstraint(
        "(settled_at IS NULL) = (outcome IS NULL) AND (settled_at IS NULL) = (attempt_at IS NOT NULL)", name="settled"
    )


class NotificationSchedule(DueRow, Base):
    """A notification. Game, kind, offset and the game's time identify a reminder."""

    __tablename__ = "notification_schedule"
    __table_args__ = (
        _settled_constraint(),
        CheckConstraint("(kind = 'reminder') = (offset_minutes IS NOT NULL)", name="offset"),
        Index("ix_notification_schedule_due_at", "due_at", postgresql_where=text("settled_at IS NULL")),
        Index(
            "ix_notification_schedule_kind_attempt_at",
            "kind",
            "attempt_at",
            postgresql_where=text("attempt_at IS NOT NULL"),
        ),
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
            "ix_notification_schedule_unseen_warning",
            "game_id",
            postgresql_where=text("kind = 'warning' AND outcome = 'undeliverable'"),
        ),
        Index(
            "uq_notification_schedule_open_notice",
            "game_id",
            "kind",
            unique=True,
            postgresql_where=text("kind <> 'reminder' AND user_id IS NULL AND settled_at IS NULL"),
        ),
        Index(
            "uq_notification_schedule_open_promotion",
            "game_id",
            "user_id",
            unique=True,
            postgresql_where=text("kind = 'promotion' AND settled_at IS NULL"),
        ),
        Index(
            "uq_notification_schedule_personal_reminder",
            "game_id",
            "user_id",
            "due_at",
            unique=True,
            postgresql_where=text("kind = 'personal_reminder'"),
        ),
        Index(
            "uq_notification_schedule_minimum",
            "game_id",
            "due_at",
            unique=True,
            postgresql_where=text("kind = 'minimum'"),
        ),
        Index(
            "uq_notification_schedule_nudge",
            "game_id",
            "game_scheduled_at",
            unique=True,
            postgresql_where=text("kind = 'nudge'"),
        ),
    )

    kind: Mapped[NotificationKind] = mapped_column(text_enum(NotificationKind, name="kind"))
    offset_minutes: Mapped[int | None]
    game_scheduled_at: Mapped[datetime]
    reason: Mapped[str | None]
    """What a warning is about, a line for each reason. Or why there is a personal reminder, "extra" or "snooze".
    Or that an offer has lapsed."""
    user_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    """The players who have left, if it is about a drop-out."""
    next_user_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    """Those who have left while its message may have been sent. The next notice names them."""
    user_id: Mapped[int | None]
    """The only recipient, None if it is for everybody."""


class GameStatusSchedule(DueRow, Base):
    """A change of a game's status."""

    __tablename__ = "game_status_schedule"
    __table_args__ = (
        _settled_constraint(),
        Index("ix_game_status_schedule_due_at", "due_at", postgresql_where=text("settled_at IS NULL")),
        Index(
            "ix_game_status_schedule_target_status_attempt_at",
            "target_status",
            "attempt_at",
            postgresql_where=text("attempt_at IS NOT NULL"),
        ),
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
