"""Games that are not posted yet, and edits that were refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, new_id


class Draft(Base):
    """What a host entered for a game that they see a preview of, or in an edit that was refused.

    Its buttons and its form work after a restart.
    """

    __tablename__ = "draft"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    interaction_id: Mapped[int] = mapped_column(unique=True)
    """The interaction that made the draft. A new game gets it too, so a draft becomes one game."""
    user_id: Mapped[int]
    guild_id: Mapped[int]
    channel_id: Mapped[int]
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The options as they were entered, also invalid ones."""
    is_posted: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
