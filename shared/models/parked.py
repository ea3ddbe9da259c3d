"""Unreadable messages, kept until an administrator retries or discards them."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, new_id, text_enum


class Resolution(enum.StrEnum):
    """An administrator's decision about a parked message."""

    RETRIED = "retried"
    DISCARDED = "discarded"


class ParkedMessage(Base):
    """An unreadable dead letter. Its `digest` prevents a second copy."""

    __tablename__ = "parked_message"
    __table_args__ = (
        Index("uq_parked_message_open", "queue", "digest", unique=True, postgresql_where=text("resolved_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    queue: Mapped[str]
    routing_key: Mapped[str]
    message_id: Mapped[str | None]
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[str]
    reason: Mapped[str]
    parked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[Resolution | None] = mapped_column(text_enum(Resolution, name="resolution"))
