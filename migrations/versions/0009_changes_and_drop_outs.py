"""Notices of a new time and of players who left, and the servers' names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import online

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = "notification_schedule"
USERS = ("user_ids", "next_user_ids")
KINDS = ("reminder", "announcement", "cancellation", "warning")


def upgrade() -> None:
    with online.step_by_step():
        online.add_column("guild", sa.Column("name", sa.Text()))
        for name in USERS:
            users: sa.Column[list[int]] = sa.Column(
                name, postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False
            )
            online.add_column(TABLE, users)
        online.allow_values(TABLE, "kind", *KINDS, "change", "drop_out")


def downgrade() -> None:
    with online.step_by_step():
        op.execute("DELETE FROM notification_schedule WHERE kind IN ('change', 'drop_out')")
        online.allow_values(TABLE, "kind", *KINDS)
        for name in USERS:
            op.drop_column(TABLE, name, if_exists=True)
        op.drop_column("guild", "name", if_exists=True)
