"""The rows that a delivery reads, as plain values.

Entities were rejected: making and reading them takes several times as long, and a delivery writes by statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from shared.discord.ids import nonce_for
from shared.models import DeliveryState, NotificationKind, RecipientKind


class DueNotification(NamedTuple):
    """What a delivery reads of a row of `notification_schedule`."""

    id: UUID
    game_id: UUID
    kind: NotificationKind
    offset_minutes: int | None
    game_scheduled_at: datetime
    game_version: int
    due_at: datetime
    attempts: int
    reason: str | None
    user_ids: Sequence[int]
    user_id: int | None


class Delivery(NamedTuple):
    """What a delivery reads of a row of `notification_delivery`."""

    id: UUID
    notification_id: UUID
    recipient_kind: RecipientKind
    recipient_id: int
    chunk: int
    mentions: Sequence[int]
    state: DeliveryState = DeliveryState.PENDING
    message_id: int | None = None
    last_error: str | None = None
    created_at: datetime | None = None
    """None if it was created by this attempt."""

    @property
    def nonce(self) -> str:
        """The message's nonce, the same at every attempt."""
        return nonce_for(self.id)
