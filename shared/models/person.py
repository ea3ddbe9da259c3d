"""How somebody wants to be told, on every server alike."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class Person(Base):
    """A Discord user who asked for direct messages, or to whom they are closed. Everyone else has no row."""

    __tablename__ = "person"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wants_dm: Mapped[bool] = mapped_column(server_default=text("false"))
    dm_channel_id: Mapped[int | None]
    dms_closed_at: Mapped[datetime | None]
    """When Discord last refused a direct message to them; asking for direct messages anew clears it."""
