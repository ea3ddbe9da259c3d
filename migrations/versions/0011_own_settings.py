"""Users' own settings, and the indexes that find the games of a user."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COLUMNS = ("zone", "reminders_off")
INDEXES = ("ix_participant_user_id", "ix_game_host_id_scheduled_at")


def upgrade() -> None:
    with online.step_by_step():
        online.add_column("person", sa.Column("zone", sa.Text()))
        online.add_column(
            "person", sa.Column("reminders_off", sa.Boolean(), server_default=sa.text("false"), nullable=False)
        )
        online.create_index("ix_participant_user_id", "participant", ["user_id"])
        online.create_index("ix_game_host_id_scheduled_at", "game", ["host_id", "scheduled_at"])


def downgrade() -> None:
    with online.step_by_step():
        for name in INDEXES:
            online.drop_index(name)
        for name in COLUMNS:
            op.drop_column("person", name, if_exists=True)
