"""Indexes for finding what a Discord message belongs to."""

from __future__ import annotations

from migrations import online

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = ("game", "notification_delivery")


def upgrade() -> None:
    with online.step_by_step():
        for table in TABLES:
            online.create_index(f"ix_{table}_message_id", table, ["message_id"], where="message_id IS NOT NULL")


def downgrade() -> None:
    with online.step_by_step():
        for table in TABLES:
            online.drop_index(f"ix_{table}_message_id")
