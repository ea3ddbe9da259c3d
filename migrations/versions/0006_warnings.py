"""Warnings to hosts, and indexes that find overdue rows wherever they wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLE = "notification_schedule"
SCHEDULES = (TABLE, "game_status_schedule")
KINDS = ("reminder", "announcement", "cancellation")


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("reason", sa.Text()))
    _allow_kinds(*KINDS, "warning")
    for table in SCHEDULES:
        op.create_index(f"ix_{table}_due_at", table, ["due_at"], postgresql_where=sa.text("settled_at IS NULL"))
    op.create_index(
        "ix_notification_schedule_unseen_warning",
        TABLE,
        ["game_id"],
        postgresql_where=sa.text("kind = 'warning' AND outcome = 'undeliverable'"),
    )


def downgrade() -> None:
    op.drop_index("ix_notification_schedule_unseen_warning", table_name=TABLE)
    for table in SCHEDULES:
        op.drop_index(f"ix_{table}_due_at", table_name=table)
    op.execute("DELETE FROM notification_schedule WHERE kind = 'warning'")
    _allow_kinds(*KINDS)
    op.drop_column(TABLE, "reason")


def _allow_kinds(*kinds: str) -> None:
    op.drop_constraint("kind", TABLE, type_="check")
    op.create_check_constraint("kind", TABLE, sa.column("kind").in_(kinds))
