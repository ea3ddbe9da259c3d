"""Reminders of one player: an extra one before each game, and those that were snoozed. Users find all their answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLE = "notification_schedule"
KINDS = ("reminder", "announcement", "cancellation", "warning", "change", "drop_out", "promotion")


def upgrade() -> None:
    with online.step_by_step():
        online.add_column("person", sa.Column("extra_offset_minutes", sa.BigInteger()))
        online.create_index("ix_response_user_id", "response", ["user_id"])
        online.allow_values(TABLE, "kind", *KINDS, "personal_reminder")
        online.create_index(
            "uq_notification_schedule_personal_reminder",
            TABLE,
            ["game_id", "user_id", "due_at"],
            unique=True,
            where="kind = 'personal_reminder'",
        )


def downgrade() -> None:
    with online.step_by_step():
        op.execute("DELETE FROM notification_schedule WHERE kind = 'personal_reminder'")
        online.drop_index("uq_notification_schedule_personal_reminder")
        online.drop_index("ix_response_user_id")
        online.allow_values(TABLE, "kind", *KINDS)
        op.drop_column("person", "extra_offset_minutes", if_exists=True)
