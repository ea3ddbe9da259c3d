"""Direct messages: the players who want them, their channels, and the players who do not accept them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("user_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("wants_dm", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("dm_channel_id", sa.BigInteger()),
        sa.Column("dms_closed_at", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    op.drop_table("person")
