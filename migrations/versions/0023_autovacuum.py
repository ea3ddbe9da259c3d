"""The tables of the pipeline are vacuumed after as many changes as a burst makes, not after a fifth of their rows.

A claim reads past the index entries of all rows that were open since the last vacuum. By default that is a fifth of a
table which keeps a month of settled rows.
"""

from __future__ import annotations

from alembic import op

from migrations import online

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLES = ("notification_schedule", "notification_delivery", "game_status_schedule")
SETTINGS = {
    "autovacuum_vacuum_scale_factor": "0.005",
    "autovacuum_vacuum_threshold": "10000",
    "autovacuum_analyze_scale_factor": "0.01",
    "autovacuum_analyze_threshold": "10000",
}


def upgrade() -> None:
    with online.step_by_step():
        for table in TABLES:
            settings = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
            op.execute(f"ALTER TABLE {table} SET ({settings})")


def downgrade() -> None:
    with online.step_by_step():
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} RESET ({', '.join(SETTINGS)})")
