"""Series of games."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import online

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

UNIQUE, REFERENCE = "uq_game_occurrence", "fk_game_series_id"
COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    "series_id": sa.Uuid(),
    "occurrence": sa.DateTime(),
    "series_rule": sa.Text(),
}


def upgrade() -> None:
    with online.step_by_step():
        _create_tables()
        for name, kind in COLUMNS.items():
            online.add_column("game", sa.Column(name, kind))
        op.execute(f"ALTER TABLE game DROP CONSTRAINT IF EXISTS {REFERENCE}")
        op.execute(
            f"ALTER TABLE game ADD CONSTRAINT {REFERENCE} "
            "FOREIGN KEY (series_id) REFERENCES game_series (id) ON DELETE CASCADE NOT VALID"
        )
        op.execute(f"ALTER TABLE game VALIDATE CONSTRAINT {REFERENCE}")
        online.create_index(UNIQUE, "game", ["series_id", "occurrence"], unique=True, where="series_id IS NOT NULL")


def downgrade() -> None:
    with online.step_by_step():
        online.drop_index(UNIQUE)
        for name in reversed(COLUMNS):
            op.drop_column("game", name, if_exists=True)
        op.drop_table("series_exception", if_exists=True)
        op.drop_table("game_series", if_exists=True)


def _create_tables() -> None:
    op.create_table(
        "game_series",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("host_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("duration", sa.Interval(), nullable=False),
        sa.Column("capacity", sa.BigInteger()),
        sa.Column("reminder_offsets", postgresql.ARRAY(sa.Integer()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("local_start", sa.DateTime(), nullable=False),
        sa.Column("planned_until", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(32), server_default=sa.text("'active'"), nullable=False),
        sa.Column("open_ahead", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("carries_roster", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("regulars", postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("capacity IS NULL OR capacity > 0", name=op.f("ck_game_series_capacity")),
        sa.CheckConstraint("duration > interval '0'", name=op.f("ck_game_series_duration")),
        sa.CheckConstraint("open_ahead BETWEEN 1 AND 4", name=op.f("ck_game_series_open_ahead")),
        sa.CheckConstraint("state IN ('active', 'paused', 'ended')", name=op.f("ck_game_series_state")),
        sa.ForeignKeyConstraint(["guild_id"], ["guild.id"], name=op.f("fk_game_series_guild_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_game_series")),
        if_not_exists=True,
    )
    op.create_index("ix_game_series_guild_id", "game_series", ["guild_id"], if_not_exists=True)
    op.create_table(
        "series_exception",
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("occurrence", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('skipped', 'missed')", name=op.f("ck_series_exception_kind")),
        sa.ForeignKeyConstraint(
            ["series_id"], ["game_series.id"], name=op.f("fk_series_exception_series_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_id", "occurrence", name=op.f("pk_series_exception")),
        if_not_exists=True,
    )
