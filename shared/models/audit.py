"""Who changed what, for `/game history` and `/series history`."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, new_id


class AuditAction(enum.StrEnum):
    """What somebody did. A newer release may know more, so the column takes any text."""

    CREATED = "created"
    EDITED = "edited"
    CANCELLED = "cancelled"
    JOINED = "joined"
    WAITLISTED = "waitlisted"
    PROMOTED = "promoted"
    SLOT_CHANGED = "slot changed"
    SEAT_TAKEN = "seat taken"
    OFFER_ENDED = "offer ended"
    CONFIRMED = "confirmed"
    CONFIRMATION_ASKED = "confirmation asked"
    MAYBE = "maybe"
    DECLINED = "declined"
    LEFT = "left"
    PLAYER_ADDED = "player added"
    PLAYER_REMOVED = "player removed"
    LEFT_SERVER = "left the server"
    CO_HOST_ADDED = "co-host added"
    CO_HOST_REMOVED = "co-host removed"
    HANDED_OVER = "handed over"
    MOVED_UP = "moved up"
    SERIES_STARTED = "series started"
    SERIES_EDITED = "series edited"
    SERIES_PAUSED = "series paused"
    SERIES_RESUMED = "series resumed"
    SERIES_ENDED = "series ended"
    SERIES_HANDED_OVER = "series handed over"
    DATE_SKIPPED = "date skipped"
    SETTINGS_CHANGED = "settings changed"


class AuditEntry(Base):
    """One change of a game, of a series, or else of a server's settings. Nobody decides anything by it.

    `guild_id` refers to no row, so that an entry does not lock its server's.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_game_id_at", "game_id", "at"),
        Index("ix_audit_entry_series_id_at", "series_id", "at", postgresql_where=text("series_id IS NOT NULL")),
        Index("ix_audit_entry_settings", "guild_id", "at", postgresql_where=text("game_id IS NULL")),
        Index("ix_audit_entry_at", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    guild_id: Mapped[int]
    game_id: Mapped[UUID | None] = mapped_column(ForeignKey("game.id", ondelete="CASCADE"))
    series_id: Mapped[UUID | None] = mapped_column(ForeignKey("game_series.id", ondelete="CASCADE"))
    actor_id: Mapped[int | None]
    """None if the bot did it."""
    action: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """What the action was about: a `user_id`, or what was `changed`, with the values before and after."""
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
