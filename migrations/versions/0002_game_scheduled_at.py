"""`notification_schedule.game_scheduled_at`: the start of the game that a notification belongs to.

The column is nullable first, then filled from the game, then NOT NULL, so that no long lock is needed. The identity of
a reminder changes from (game, kind, offset, due_at) to (game, kind, offset, game_scheduled_at).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = "notification_schedule"
COLUMN = "game_scheduled_at"
IDENTITY = "uq_notification_schedule_reminder"
START = """CASE
    WHEN row.kind = 'reminder' THEN row.due_at + make_interval(mins => row.offset_minutes::int)
    ELSE (SELECT scheduled_at FROM game WHERE game.id = row.game_id)
END"""
"""A reminder's start follows from its due time and offset, even if the game has moved since."""


def upgrade() -> None:
    with online.step_by_step():
        online.add_column(TABLE, sa.Column(COLUMN, sa.DateTime(timezone=True), nullable=True))
        online.fill_column(TABLE, COLUMN, START)
        online.require_column(TABLE, COLUMN)
        _identify_by(COLUMN)


def downgrade() -> None:
    with online.step_by_step():
        _identify_by("due_at")
        op.drop_column(TABLE, COLUMN, if_exists=True)


def _identify_by(column: str) -> None:
    columns = ["game_id", "kind", "offset_minutes", column]
    online.replace_index(IDENTITY, TABLE, columns, unique=True, where="kind = 'reminder'")
