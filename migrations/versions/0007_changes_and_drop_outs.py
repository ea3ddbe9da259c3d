"""Notices of a new time and of players who left, and the servers' names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OLD = ("reminder", "announcement", "cancellation", "warning")
NEW = ("change", "drop_out")


def upgrade() -> None:
    op.add_column("guild", sa.Column("name", sa.Text()))
    op.add_column(
        "notification_schedule",
        sa.Column("user_ids", postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False),
    )
    _allow(*OLD, *NEW)


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM notification_schedule WHERE kind IN ('change', 'drop_out')"))
    _allow(*OLD)
    op.drop_column("notification_schedule", "user_ids")
    op.drop_column("guild", "name")


def _allow(*kinds: str) -> None:
    op.drop_constraint("kind", "notification_schedule", type_="check")
    op.create_check_constraint("kind", "notification_schedule", sa.column("kind").in_(kinds))
