"""The templates of a server, and which servers were greeted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import online

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "game_template",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("guild_id", sa.BigInteger(), sa.ForeignKey("guild.id", ondelete="CASCADE"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("defaults", postgresql.JSONB(), nullable=False),
        sa.Column("locked", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.UniqueConstraint("guild_id", "key", name=op.f("uq_game_template_guild_id_key")),
    )
    with online.step_by_step():
        online.add_column("guild", sa.Column("greeted_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_table("game_template")
    op.drop_column("guild", "greeted_at", if_exists=True)
