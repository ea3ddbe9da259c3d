"""A game, its players, and its guild."""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, DateTime, ForeignKey, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.models.base import Base, new_id, text_enum
from shared.models.details import GameDetails


class GameStatus(enum.StrEnum):
    """A game's status. It only moves down this list."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether no other status can follow."""
        return self in (GameStatus.COMPLETED, GameStatus.CANCELLED)


class Answer(enum.StrEnum):
    """A user's answer to a game."""

    GOING = "going"
    MAYBE = "maybe"
    DECLINED = "declined"
    WAITLISTED = "waitlisted"


class Guild(Base):
    """A Discord server and its settings."""

    __tablename__ = "guild"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    zone: Mapped[str] = mapped_column(server_default=text("'UTC'"))
    name: Mapped[str | None]
    """None until someone creates or joins a game there."""
    reminder_offsets: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    """Reminders of new games. None is the bot's default."""
    channel_id: Mapped[int | None]
    """Where new games are announced. None is where they are created."""
    creator_role_id: Mapped[int | None]
    """Who may create games. None is everybody."""
    manager_role_id: Mapped[int | None]
    """Who may change all games. None is who has Discord's permission for events."""
    greeted_at: Mapped[datetime | None]
    """When the bot said hello there, which it does once."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Game(GameDetails, Base):
    """A planned game.

    `version` increases when the time changes or the game is cancelled, and supersedes everything scheduled for an older
    one. `revision` increases when the announcement's content changes.
    """

    __tablename__ = "game"
    __table_args__ = (
        CheckConstraint("capacity IS NULL OR capacity > 0", name="capacity"),
        CheckConstraint("duration > interval '0'", name="duration"),
        Index("ix_game_guild_id_scheduled_at", "guild_id", "scheduled_at"),
        Index("ix_game_host_id_scheduled_at", "host_id", "scheduled_at"),
        Index("ix_game_message_id", "message_id", postgresql_where=text("message_id IS NOT NULL")),
        Index(
            "uq_game_occurrence",
            "series_id",
            "occurrence",
            unique=True,
            postgresql_where=text("series_id IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    guild_id: Mapped[int] = mapped_column(ForeignKey("guild.id", ondelete="CASCADE"))
    channel_id: Mapped[int]
    message_id: Mapped[int | None]
    interaction_id: Mapped[int | None] = mapped_column(unique=True)
    host_id: Mapped[int]
    scheduled_at: Mapped[datetime]
    zone: Mapped[str]
    local_time: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    """The start in `zone`, as the host entered it. Only tests read it."""
    status: Mapped[GameStatus] = mapped_column(
        text_enum(GameStatus, name="status"), default=GameStatus.SCHEDULED, server_default=text("'scheduled'")
    )
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    revision: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    series_id: Mapped[UUID | None] = mapped_column(ForeignKey("game_series.id", ondelete="CASCADE"))
    occurrence: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))
    """The local time that the series' rule gave the game. It stays when the game is moved."""
    series_rule: Mapped[str | None]
    """The series' rule, for the announcement."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    participants: Mapped[list[Participant]] = relationship(
        order_by="Participant.joined_at, Participant.user_id", passive_deletes=True, lazy="raise"
    )
    responses: Mapped[list[Response]] = relationship(
        order_by="Response.answered_at, Response.user_id", passive_deletes=True, lazy="raise"
    )

    @property
    def ends_at(self) -> datetime:
        """When the game is over."""
        return self.scheduled_at + self.duration


class Participant(Base):
    """A player who has a seat in a game."""

    __tablename__ = "participant"
    __table_args__ = (Index("ix_participant_user_id", "user_id"),)

    game_id: Mapped[UUID] = mapped_column(ForeignKey("game.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    joined_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    slot: Mapped[str | None]
    is_confirmed: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """False until the player has said that the game's new time suits, or that they take an offered seat."""
    offered_until: Mapped[datetime | None]
    """When a seat from the waitlist goes to the next, None once the player has taken it."""


class CoHost(Base):
    """A user who may change a game as its host may."""

    __tablename__ = "co_host"

    game_id: Mapped[UUID] = mapped_column(ForeignKey("game.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    added_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Response(Base):
    """The answer of a user who has no seat. A user who has one is a `Participant` and has no row here.

    The previous release takes every participant for a player, so other answers are not kept in that table.
    """

    __tablename__ = "response"
    __table_args__ = (
        CheckConstraint("answer <> 'going'", name="has_no_seat"),
        Index("ix_response_user_id", "user_id"),
    )

    game_id: Mapped[UUID] = mapped_column(ForeignKey("game.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    answer: Mapped[Answer] = mapped_column(text_enum(Answer, name="answer"))
    answered_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    """The order of the waitlist."""
    slot: Mapped[str | None]
    """The one that the user waits for, None if any will do."""
