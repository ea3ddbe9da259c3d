"""`notification_schedule.game_scheduled_at`: the start of the game that a notification belongs to.

The column is nullable first, then filled from the game, then NOT NULL, so that no long lock is needed. The identity of
a reminder changes from (game, kind, offset, due_at) to (game, kind, offset, game_scheduled_at).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = "notification_schedule"
IDENTITY = "uq_notification_schedule_reminder"


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("game_scheduled_at", sa.DateTime(timezone=True), nullable=True))
    # A reminder's start follows from its due time and offset, even if the game has moved since.
    op.execute(
        """
        UPDATE notification_schedule AS n
        SET game_scheduled_at = CASE
            WHEN n.kind = 'reminder' THEN n.due_at + make_interval(mins => n.offset_minutes::int)
            ELSE g.scheduled_at
        END
        FROM game AS g
        WHERE g.id = n.game_id
        """
    )
    op.alter_column(TABLE, "game_scheduled_at", nullable=False)
    _identify_by("game_scheduled_at")


def downgrade() -> None:
    _identify_by("due_at")
    op.drop_column(TABLE, "game_scheduled_at")


def _identify_by(column: str) -> None:
    op.drop_index(IDENTITY, table_name=TABLE)
    op.create_index(
        IDENTITY,
        TABLE,
        ["game_id", "kind", "offset_minutes", column],
        unique=True,
        postgresql_where=sa.text("kind = 'reminder'"),
    )
