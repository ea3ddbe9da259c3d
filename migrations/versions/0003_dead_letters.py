"""Dead letters: the attempt whose failure was recorded, and a table for unreadable messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEDULES = ("notification_schedule", "game_status_schedule")


def upgrade() -> None:
    for table in SCHEDULES:
        op.add_column(table, sa.Column("failed_attempt", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    resolution = sa.Enum(
        "retried", "discarded", name="resolution", native_enum=False, create_constraint=True, length=32
    )
    op.create_table(
        "parked_message",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("routing_key", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text()),
        sa.Column("headers", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.Column("resolution", resolution),
    )
    op.create_index(
        "uq_parked_message_open",
        "parked_message",
        ["queue", "digest"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("parked_message")
    for table in SCHEDULES:
        op.drop_column(table, "failed_attempt")
