"""Each table of due rows keeps one index on the time of the next attempt, that by kind.

With a second one on the time alone, the planner chose that for kinds with few rows. Then a claim of one queue read past
the due rows of all other queues, once for each of its kinds. The index also cost a write for each attempt and outcome.
"""

from __future__ import annotations

from migrations import online

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLES = ("notification_schedule", "game_status_schedule")


def upgrade() -> None:
    with online.step_by_step():
        for table in TABLES:
            online.drop_index(f"ix_{table}_attempt_at")


def downgrade() -> None:
    with online.step_by_step():
        for table in TABLES:
            online.create_index(f"ix_{table}_attempt_at", table, ["attempt_at"], where="attempt_at IS NOT NULL")
