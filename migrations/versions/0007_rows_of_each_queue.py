"""Indexes on kind and time, so that each queue's due rows are found in order, whatever waits for the other queues.

The indexes on the time alone stay: the previous release claims with them.
"""

from __future__ import annotations

from migrations import online

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_notification_schedule_kind_attempt_at": ("notification_schedule", ["kind", "attempt_at"]),
    "ix_game_status_schedule_target_status_attempt_at": ("game_status_schedule", ["target_status", "attempt_at"]),
}


def upgrade() -> None:
    with online.step_by_step():
        for name, (table, columns) in INDEXES.items():
            online.create_index(name, table, columns, where="attempt_at IS NOT NULL")


def downgrade() -> None:
    with online.step_by_step():
        for name in INDEXES:
            online.drop_index(name)
