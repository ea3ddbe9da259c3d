"""Answers of users who have no seat, and notices for one user alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLE = "notification_schedule"
KINDS = ("reminder", "announcement", "cancellation", "warning", "change", "drop_out")
OPEN_NOTICE = "uq_notification_schedule_open_notice"
ANSWERS = ("going", "maybe", "declined", "waitlisted")


def upgrade() -> None:
    with online.step_by_step():
        op.create_table(
            "response",
            sa.Column("game_id", sa.Uuid(), sa.ForeignKey("game.id", ondelete="CASCADE"), primary_key=True),
            sa.Column("user_id", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("answer", sa.String(length=32), nullable=False),
            sa.Column(
                "answered_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False
            ),
            sa.CheckConstraint(sa.column("answer").in_(ANSWERS), name="answer"),
            sa.CheckConstraint("answer <> 'going'", name="has_no_seat"),
            if_not_exists=True,
        )
        online.add_column(TABLE, sa.Column("user_id", sa.BigInteger()))
        online.allow_values(TABLE, "kind", *KINDS, "promotion")
        online.create_index(
            "uq_notification_schedule_open_promotion",
            TABLE,
            ["game_id", "user_id"],
            unique=True,
            where="kind = 'promotion' AND settled_at IS NULL",
        )
        online.replace_index(
            OPEN_NOTICE,
            TABLE,
            ["game_id", "kind"],
            unique=True,
            where="kind <> 'reminder' AND user_id IS NULL AND settled_at IS NULL",
        )


def downgrade() -> None:
    with online.step_by_step():
        op.execute("DELETE FROM notification_schedule WHERE user_id IS NOT NULL")
        online.replace_index(
            OPEN_NOTICE, TABLE, ["game_id", "kind"], unique=True, where="kind <> 'reminder' AND settled_at IS NULL"
        )
        online.drop_index("uq_notification_schedule_open_promotion")
        online.allow_values(TABLE, "kind", *KINDS)
        op.drop_column(TABLE, "user_id", if_exists=True)
        op.drop_table("response", if_exists=True)
