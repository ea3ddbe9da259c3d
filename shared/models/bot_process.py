"""The bot's processes, if there are several."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class BotProcess(Base):
    """A process of the bot, and its share of Discord's limit of requests until its lease ends."""

    __tablename__ = "bot_process"

    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    requests_per_second: Mapped[float]
    lease_until: Mapped[datetime]
