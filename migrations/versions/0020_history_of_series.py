"""The history of series, and why the bot has paused one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

INDEX, REFERENCE = "ix_audit_entry_series_id_at", "fk_audit_entry_series_id"
REASONS = ("channel deleted", "bot removed")


def upgrade() -> None:
    with online.step_by_step():
        online.add_column("audit_entry", sa.Column("series_id", sa.Uuid()))
        op.execute(f"ALTER TABLE audit_entry DROP CONSTRAINT IF EXISTS {REFERENCE}")
        op.execute(
            f"ALTER TABLE audit_entry ADD CONSTRAINT {REFERENCE} "
            "FOREIGN KEY (series_id) REFERENCES game_series (id) ON DELETE CASCADE NOT VALID"
        )
        op.execute(f"ALTER TABLE audit_entry VALIDATE CONSTRAINT {REFERENCE}")
        online.create_index(INDEX, "audit_entry", ["series_id", "at"], where="series_id IS NOT NULL")
        online.add_column("game_series", sa.Column("pause_reason", sa.String(32)))
        online.allow_values("game_series", "pause_reason", *REASONS)


def downgrade() -> None:
    with online.step_by_step():
        op.execute("DELETE FROM audit_entry WHERE series_id IS NOT NULL")
        online.drop_index(INDEX)
        op.drop_column("audit_entry", "series_id", if_exists=True)
        op.drop_column("game_series", "pause_reason", if_exists=True)
