"""The servers' settings, co-hosts, and the history of who changed what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import online

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SETTINGS = ("channel_id", "creator_role_id", "manager_role_id")


def upgrade() -> None:
    with online.step_by_step():
        offsets: sa.Column[list[int]] = sa.Column("reminder_offsets", postgresql.ARRAY(sa.Integer()))
        online.add_column("guild", offsets)
        for name in SETTINGS:
            online.add_column("guild", sa.Column(name, sa.BigInteger()))
        op.create_table(
            "co_host",
            sa.Column("game_id", sa.Uuid(), nullable=False),
            sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
            sa.Column(
                "added_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
            ),
            sa.ForeignKeyConstraint(["game_id"], ["game.id"], name="fk_co_host_game_id", ondelete="CASCADE"),
            sa.PrimaryKeyConstraint("game_id", "user_id", name="pk_co_host"),
            if_not_exists=True,
        )
        op.create_table(
            "audit_entry",
            sa.Column("id", sa.Uuid(), nullable=False),
            sa.Column("guild_id", sa.BigInteger(), nullable=False),
            sa.Column("game_id", sa.Uuid()),
            sa.Column("actor_id", sa.BigInteger()),
            sa.Column("action", sa.Text(), nullable=False),
            sa.Column("detail", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
            sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
            sa.ForeignKeyConstraint(["game_id"], ["game.id"], name="fk_audit_entry_game_id", ondelete="CASCADE"),
            sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
            if_not_exists=True,
        )
        for name, columns in (("ix_audit_entry_game_id_at", ["game_id", "at"]), ("ix_audit_entry_at", ["at"])):
            op.create_index(name, "audit_entry", columns, if_not_exists=True)
        op.create_index(
            "ix_audit_entry_settings",
            "audit_entry",
            ["guild_id", "at"],
            postgresql_where=sa.text("game_id IS NULL"),
            if_not_exists=True,
        )


def downgrade() -> None:
    with online.step_by_step():
        op.drop_table("audit_entry", if_exists=True)
        op.drop_table("co_host", if_exists=True)
        for name in (*SETTINGS, "reminder_offsets"):
            op.drop_column("guild", name, if_exists=True)
