"""Answered interactions, so that a second delivery of one changes nothing."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base


class Interaction(Base):
    """A command or a pressed button that changed something or was refused, by Discord's id, with its answer."""

    __tablename__ = "interaction"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    answer: Mapped[str] = mapped_column(server_default=text("''"))
