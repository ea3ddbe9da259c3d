"""The templates of a server."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, new_id


class GameTemplate(Base):
    """What the games of one kind have in common, by a name that hosts pick."""

    __tablename__ = "game_template"
    __table_args__ = (UniqueConstraint("guild_id", "key", name="uq_game_template_guild_id_key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    guild_id: Mapped[int] = mapped_column(ForeignKey("guild.id", ondelete="CASCADE"))
    key: Mapped[str]
    """The name in lower case, by which it is found."""
    name: Mapped[str]
    defaults: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Options of a new game by their names, as a host enters them."""
    locked: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    """The names of the options that a host cannot change."""
    created_by: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
