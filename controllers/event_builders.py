"""From a due row to what is published: `(event, ttl)`.

A reminder lives as long as it is worth telling: until the game starts, and at least a minute. A notice and a status
transition never expire: they are retried until they succeed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.messaging.envelope import AnyEvent, GameReminderDue, NoticeDue, StatusTransitionDue
from shared.models import GameStatus, NotificationKind

MINIMUM_TTL = 60_000
"""Milliseconds. A reminder that is due at the start, or late, still has a minute to be told."""
MAXIMUM_TTL = 2**32 - 1
"""Milliseconds: the longest expiration that RabbitMQ takes (https://www.rabbitmq.com/docs/ttl)."""


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed row. `claimed_at` is the database's clock at the claim; `details` are the columns of its kind."""

    id: UUID
    game_id: UUID
    due_at: datetime
    attempts: int
    claimed_at: datetime
    details: dict[str, Any]


def build_notification_event(due: Due) -> tuple[AnyEvent, int | None]:
    """Build the event of a row of `notification_schedule`."""
    if due.details["kind"] == NotificationKind.REMINDER:
        return build_game_reminder_event(due)
    return build_notice_event(due)


def build_game_reminder_event(due: Due) -> tuple[GameReminderDue, int]:
    """Build a reminder. Its TTL, in milliseconds, ends when the game starts, and is at least 60 000."""
    starts_at: datetime = due.details["game_scheduled_at"]
    event = GameReminderDue(
        row_id=due.id,
        game_id=due.game_id,
        game_scheduled_at=starts_at,
        offset_minutes=due.details["offset_minutes"],
    )
    until_start = (starts_at - due.claimed_at) // timedelta(milliseconds=1)
    return event, min(max(MINIMUM_TTL, until_start), MAXIMUM_TTL)


def build_notice_event(due: Due) -> tuple[NoticeDue, None]:
    """Build a notice, which never expires."""
    return NoticeDue(row_id=due.id, game_id=due.game_id, kind=due.details["kind"]), None


def build_status_transition_event(due: Due) -> tuple[StatusTransitionDue, None]:
    """Build a status transition, which never expires."""
    target = GameStatus(due.details["target_status"])
    return StatusTransitionDue(row_id=due.id, game_id=due.game_id, target_status=target), None
