"""A user's settings on all servers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class User(Base):
    """A Discord user who changed a setting, or whose DMs are closed. Others have no row.

    The table has another name, because SQL reserves `user`.
    """

    __tablename__ = "person"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wants_dm: Mapped[bool] = mapped_column(server_default=text("false"))
    dm_channel_id: Mapped[int | None]
    dms_closed_at: Mapped[datetime | None]
    """Discord's last rejection of a DM. Asking for DMs again clears it."""
    zone: Mapped[str | None]
    """The IANA zone in which times are read that the user enters. NULL is the server's."""
    extra_offset_minutes: Mapped[int | None]
    """How long before each game the user gets a reminder that only they get."""
    reminders_off: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the user gets no reminders. Cancellations and new times still reach them."""
