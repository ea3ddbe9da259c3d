"""Games, their players, their schedules and the delivery ledger."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

GAME_STATUS = ("scheduled", "in_progress", "completed", "cancelled")
OUTCOME = ("delivered", "partly_delivered", "expired", "superseded", "undeliverable", "applied")


def upgrade() -> None:
    _guild_and_game()
    _schedules()
    _ledger()


def downgrade() -> None:
    for table in ("notification_delivery", "notification_schedule", "game_status_schedule"):
        op.drop_table(table)
    for table in ("participant", "game", "guild"):
        op.drop_table(table)


def _guild_and_game() -> None:
    op.create_table(
        "guild",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("zone", sa.Text(), server_default=sa.text("'UTC'"), nullable=False),
        _time("created_at", server_default=sa.func.now(), nullable=False),
    )
    op.create_table(
        "game",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("guild_id", sa.BigInteger(), sa.ForeignKey("guild.id", ondelete="CASCADE"), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger()),
        sa.Column("interaction_id", sa.BigInteger(), unique=True),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        _time("scheduled_at", nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("local_time", sa.DateTime(), nullable=False),
        sa.Column("duration", sa.Interval(), nullable=False),
        sa.Column("capacity", sa.BigInteger()),
        sa.Column("reminder_offsets", sa.ARRAY(sa.Integer()), server_default=sa.text("'{}'"), nullable=False),
        _choice("status", *GAME_STATUS, server_default=sa.text("'scheduled'"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        _time("created_at", server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("capacity IS NULL OR capacity > 0", name="capacity"),
        sa.CheckConstraint("duration > interval '0'", name="duration"),
    )
    op.create_index("ix_game_guild_id_scheduled_at", "game", ["guild_id", "scheduled_at"])
    op.create_table(
        "participant",
        sa.Column("game_id", sa.Uuid(), sa.ForeignKey("game.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("user_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        _time("joined_at", server_default=sa.func.clock_timestamp(), nullable=False),
    )


def _schedules() -> None:
    op.create_table(
        "notification_schedule",
        *_due_row(),
        _choice("kind", "reminder", "announcement", "cancellation", nullable=False),
        sa.Column("offset_minutes", sa.BigInteger()),
        sa.CheckConstraint("(kind = 'reminder') = (offset_minutes IS NOT NULL)", name="offset"),
    )
    op.create_table("game_status_schedule", *_due_row(), _choice("target_status", *GAME_STATUS, nullable=False))
    for table in ("notification_schedule", "game_status_schedule"):
        op.create_index(
            f"ix_{table}_attempt_at", table, ["attempt_at"], postgresql_where=sa.text("attempt_at IS NOT NULL")
        )
        op.create_index(
            f"ix_{table}_settled_at", table, ["settled_at"], postgresql_where=sa.text("settled_at IS NOT NULL")
        )
        op.create_index(f"ix_{table}_game_id", table, ["game_id"])
    op.create_index(
        "uq_notification_schedule_reminder",
        "notification_schedule",
        ["game_id", "kind", "offset_minutes", "due_at"],
        unique=True,
        postgresql_where=sa.text("kind = 'reminder'"),
    )
    op.create_index(
        "uq_notification_schedule_open_notice",
        "notification_schedule",
        ["game_id", "kind"],
        unique=True,
        postgresql_where=sa.text("kind <> 'reminder' AND settled_at IS NULL"),
    )
    op.create_index(
        "uq_game_status_schedule_open",
        "game_status_schedule",
        ["game_id", "target_status"],
        unique=True,
        postgresql_where=sa.text("settled_at IS NULL"),
    )


def _ledger() -> None:
    op.create_table(
        "notification_delivery",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column(
            "notification_id", sa.Uuid(), sa.ForeignKey("notification_schedule.id", ondelete="CASCADE"), nullable=False
        ),
        _choice("recipient_kind", "channel", "user", nullable=False),
        sa.Column("recipient_id", sa.BigInteger(), nullable=False),
        sa.Column("chunk", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("mentions", sa.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False),
        _choice(
            "state",
            "pending",
            "sending",
            "sent",
            "failed",
            "unknown",
            server_default=sa.text("'pending'"),
            nullable=False,
        ),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        _time("first_sending_at"),
        _time("lease_until"),
        sa.Column("message_id", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        _time("finished_at"),
        _time("created_at", server_default=sa.func.clock_timestamp(), nullable=False),
        sa.UniqueConstraint(
            "notification_id", "recipient_kind", "recipient_id", "chunk", name="uq_notification_delivery_recipient"
        ),
    )


def _due_row() -> list[Any]:
    return [
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("game_id", sa.Uuid(), sa.ForeignKey("game.id", ondelete="CASCADE"), nullable=False),
        sa.Column("game_version", sa.BigInteger(), nullable=False),
        _time("due_at", nullable=False),
        _time("attempt_at"),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text()),
        _time("settled_at"),
        _choice("outcome", *OUTCOME),
        sa.Column("outcome_detail", sa.Text()),
        _time("created_at", server_default=sa.func.clock_timestamp(), nullable=False),
        sa.CheckConstraint(
            "(settled_at IS NULL) = (outcome IS NULL) AND (settled_at IS NULL) = (attempt_at IS NOT NULL)",
            name="settled",
        ),
    ]


def _time(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), **options)


def _choice(name: str, *values: str, **options: Any) -> sa.Column[Any]:
    kind = sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)
    return sa.Column(name, kind, **options)
