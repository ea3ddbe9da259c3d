"""A seat that becomes free can be offered: its player keeps it if they take it in time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0019"
down_revision = "0018"
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
)


def upgrade() -> None:
    with online.step_by_step():
        online.add_column("participant", sa.Column("offered_until", sa.DateTime(timezone=True)))
        online.allow_values(TABLE, "kind", *KINDS, "offer_end")


def downgrade() -> None:
    with online.step_by_step():
        op.execute("DELETE FROM notification_schedule WHERE kind = 'offer_end'")
        online.allow_values(TABLE, "kind", *KINDS)
        op.drop_column("participant", "offered_until", if_exists=True)
