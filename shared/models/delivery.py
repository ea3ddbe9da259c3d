"""The delivery ledger: one row for each recipient, written before the request to Discord.

It shows whether a killed process may have sent the request.
"""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.discord.ids import nonce_for
from shared.models.base import Base, text_enum


class RecipientKind(enum.StrEnum):
    """The kind of recipient."""

    CHANNEL = "channel"
    USER = "user"


class DeliveryState(enum.StrEnum):
    """One message's state. The last three are final."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


def delivery_id(notification_id: UUID, kind: RecipientKind, recipient_id: int, *, chunk: int = 0) -> UUID:
    """Return the id of a recipient's row. A row that a fail-over lost gets the same id again, and so the same nonce."""
    return uuid5(notification_id, f"{kind}/{recipient_id}/{chunk}")


class NotificationDelivery(Base):
    """One message to one recipient.

    Each `chunk` of a channel message with too many mentions is a recipient. `mentions` is fixed when the row is
    created.
    """

    __tablename__ = "notification_delivery"
    __table_args__ = (
        UniqueConstraint(
            "notification_id", "recipient_kind", "recipient_id", "chunk", name="uq_notification_delivery_recipient"
        ),
        Index("ix_notification_delivery_message_id", "message_id", postgresql_where=text("message_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The `delivery_id` of the first recipient. A delivery that falls back to the channel keeps it."""
    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notification_schedule.id", ondelete="CASCADE"))
    recipient_kind: Mapped[RecipientKind] = mapped_column(text_enum(RecipientKind, name="recipient_kind"))
    recipient_id: Mapped[int]
    chunk: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    mentions: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    state: Mapped[DeliveryState] = mapped_column(
        text_enum(DeliveryState, name="state"), default=DeliveryState.PENDING, server_default=text("'pending'")
    )
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    first_sending_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    message_id: Mapped[int | None]
    last_error: Mapped[str | None]
    finished_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def nonce(self) -> str:
        """The message's nonce, the same at every attempt."""
        return nonce_for(self.id)
