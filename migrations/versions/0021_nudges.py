"""A game can nudge those who have not answered, a role or the players of earlier games."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0021"
down_revision = "0020"
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
    "minimum",
    "offer_end",
)
NUMBERS = ("nudge_minutes", "nudge_role_id")


def upgrade() -> None:
    with online.step_by_step():
        for table in ("game", "game_series"):
            for name in NUMBERS:
                online.add_column(table, sa.Column(name, sa.BigInteger()))
        online.allow_values(TABLE, "kind", *KINDS, "nudge")
        online.create_index(
            "uq_notification_schedule_nudge",
            TABLE,
            ["game_id", "game_scheduled_at"],
            unique=True,
            where="kind = 'nudge'",
        )


def downgrade() -> None:
    with online.step_by_step():
        op.execute("DELETE FROM notification_schedule WHERE kind = 'nudge'")
        online.drop_index("uq_notification_schedule_nudge")
        online.allow_values(TABLE, "kind", *KINDS)
        for table in ("game", "game_series"):
            for name in NUMBERS:
                op.drop_column(table, name, if_exists=True)
