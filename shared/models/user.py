"""A user's notification preferences on all servers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class User(Base):
    """A Discord user who asked for DMs, or whose DMs are closed. Others have no row.

    The table has another name, because SQL reserves `user`.
    """

    __tablename__ = "person"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wants_dm: Mapped[bool] = mapped_column(server_default=text("false"))
    dm_channel_id: Mapped[int | None]
    dms_closed_at: Mapped[datetime | None]
    """Discord's last rejection of a DM. Asking for DMs again clears it."""
