"""Warnings to hosts, and indexes that find overdue rows wherever they wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLE = "notification_schedule"
SCHEDULES = (TABLE, "game_status_schedule")
KINDS = ("reminder", "announcement", "cancellation")


def upgrade() -> None:
    with online.step_by_step():
        online.add_column(TABLE, sa.Column("reason", sa.Text()))
        online.allow_values(TABLE, "kind", *KINDS, "warning")
        for table in SCHEDULES:
            online.create_index(f"ix_{table}_due_at", table, ["due_at"], where="settled_at IS NULL")
        unseen = "kind = 'warning' AND outcome = 'undeliverable'"
        online.create_index("ix_notification_schedule_unseen_warning", TABLE, ["game_id"], where=unseen)


def downgrade() -> None:
    with online.step_by_step():
        online.drop_index("ix_notification_schedule_unseen_warning")
        for table in SCHEDULES:
            online.drop_index(f"ix_{table}_due_at")
        op.execute("DELETE FROM notification_schedule WHERE kind = 'warning'")
        online.allow_values(TABLE, "kind", *KINDS)
        op.drop_column(TABLE, "reason", if_exists=True)
