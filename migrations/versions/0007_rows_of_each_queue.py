"""Indexes on kind and time, so that each queue's due rows are found in order, whatever waits for the other queues.

The indexes on the time alone stay: the previous release claims with them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_notification_schedule_kind_attempt_at": ("notification_schedule", ["kind", "attempt_at"]),
    "ix_game_status_schedule_target_status_attempt_at": ("game_status_schedule", ["target_status", "attempt_at"]),
}


def upgrade() -> None:
    with op.get_context().autocommit_block():  # built beside the running workloads
        for name, (table, columns) in INDEXES.items():
            op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)  # left invalid by an interruption
            op.create_index(
                name,
                table,
                columns,
                postgresql_where=sa.text("attempt_at IS NOT NULL"),
                postgresql_concurrently=True,
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, (table, _) in INDEXES.items():
            op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
