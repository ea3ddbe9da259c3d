"""A series of games, and the dates that it leaves out."""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, DateTime, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, new_id, text_enum
from shared.models.details import GameDetails


class SeriesState(enum.StrEnum):
    """Whether games are made. The host can resume a series in any state."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class PauseReason(enum.StrEnum):
    """Why the bot has paused a series. A newer release may know more."""

    CHANNEL_DELETED = "channel deleted"
    BOT_REMOVED = "bot removed"
    """The bot was removed from the server."""


class ExceptionKind(enum.StrEnum):
    """Why a date of the rule has no game."""

    SKIPPED = "skipped"
    """The host wanted none."""
    MISSED = "missed"
    """Its time passed before the game could be made."""


class GameSeries(GameDetails, Base):
    """A game that repeats. Its columns are those of the games that it makes from now on.

    Local times are in `zone`. They decide alone which occurrence is which, so a moved game keeps its place.
    """

    __tablename__ = "game_series"
    __table_args__ = (
        CheckConstraint("capacity IS NULL OR capacity > 0", name="capacity"),
        CheckConstraint("duration > interval '0'", name="duration"),
        CheckConstraint("open_ahead BETWEEN 1 AND 4", name="open_ahead"),
        Index("ix_game_series_guild_id", "guild_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    guild_id: Mapped[int] = mapped_column(ForeignKey("guild.id", ondelete="CASCADE"))
    channel_id: Mapped[int]
    host_id: Mapped[int]
    zone: Mapped[str]
    rule: Mapped[str]
    """As RFC 5545 writes it, without the first start."""
    local_start: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    """The first start."""
    planned_until: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    """The latest occurrence that was made or missed. The next one is after it."""
    state: Mapped[SeriesState] = mapped_column(
        text_enum(SeriesState, name="state"), default=SeriesState.ACTIVE, server_default=text("'active'")
    )
    pause_reason: Mapped[PauseReason | None] = mapped_column(text_enum(PauseReason, name="pause_reason"))
    """Why the bot has paused the series. None if it is not paused, or its host alone has paused it."""
    open_ahead: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    """How many occurrences are open at once."""
    carries_roster: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether the players of the latest game that is over have seats in the next one."""
    regulars: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), default=list, server_default=text("'{}'"))
    """Users who have a seat in each new game."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SeriesException(Base):
    """A date of a series that has no game."""

    __tablename__ = "series_exception"

    series_id: Mapped[UUID] = mapped_column(ForeignKey("game_series.id", ondelete="CASCADE"), primary_key=True)
    occurrence: Mapped[datetime] = mapped_column(DateTime(timezone=False), primary_key=True)
    kind: Mapped[ExceptionKind] = mapped_column(text_enum(ExceptionKind, name="kind"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
