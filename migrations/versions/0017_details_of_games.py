"""What a host can say about a game: place, slots, who can join and until when, and what happens with too few players.

A player has a slot, and may have to confirm the seat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import online

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

NUMBERS = ("required_role_id", "closes_minutes", "minimum_players", "minimum_minutes", "offer_minutes")


def upgrade() -> None:
    with online.step_by_step():
        for table, column in _columns():
            online.add_column(table, column)


def downgrade() -> None:
    with online.step_by_step():
        for table, column in _columns():
            op.drop_column(table, column.name, if_exists=True)


def _columns() -> Iterator[tuple[str, sa.Column[Any]]]:
    for table in ("game", "game_series"):
        yield table, sa.Column("place", sa.Text(), server_default=sa.text("''"), nullable=False)
        yield table, sa.Column("slots", JSONB(), server_default=sa.text("'[]'"), nullable=False)
        for name in NUMBERS:
            yield table, sa.Column(name, sa.BigInteger())
    for table in ("participant", "response"):
        yield table, sa.Column("slot", sa.Text())
    yield "participant", sa.Column("is_confirmed", sa.Boolean(), server_default=sa.text("true"), nullable=False)
