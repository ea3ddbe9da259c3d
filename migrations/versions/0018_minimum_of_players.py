"""A game can need a minimum of players. With fewer, its host is asked whether to cancel it."""

from __future__ import annotations

from alembic import op

from migrations import online

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLE = "notification_schedule"
KINDS = (
    "reminder",
    "announcement",
    "cancellation",
    "warning",
    "change",
    "drop_out",
    "promotion",
    "personal_reminder",
)


def upgrade() -> None:
    with online.step_by_step():
        online.allow_values(TABLE, "kind", *KINDS, "minimum")
        online.create_index(
            "uq_notification_schedule_minimum",
            TABLE,
            ["game_id", "due_at"],
            unique=True,
            where="kind = 'minimum'",
        )


def downgrade() -> None:
    with online.step_by_step():
        op.execute("DELETE FROM notification_schedule WHERE kind = 'minimum'")
        online.drop_index("uq_notification_schedule_minimum")
        online.allow_values(TABLE, "kind", *KINDS)
