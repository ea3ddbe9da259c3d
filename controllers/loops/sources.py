"""The two schedule tables, and how their rows become events with TTLs.

The message of a reminder has a TTL until the start of its game, of at least a minute. All other messages have none: the
bot decides whether a notice has expired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from controllers.resources.models import Source
from shared.messaging import topology
from shared.messaging.envelope import (
    AnyEvent,
    GameReminderDue,
    NoticeDue,
    OfferEnded,
    PersonalReminderDue,
    StatusTransitionDue,
)
from shared.messaging.topology import Queue
from shared.models import GameStatus, GameStatusSchedule, NotificationKind, NotificationSchedule
from shared.schedule.settle import Table

LEAST_TTL = 60_000
"""Milliseconds, so that a late reminder can be delivered."""
MOST_TTL = 2**32 - 1
"""Milliseconds. RabbitMQ's limit (https://www.rabbitmq.com/docs/ttl)."""


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A due row, locked at the database's time `claimed_at`. `details` has its table's own columns."""

    id: UUID
    game_id: UUID
    due_at: datetime
    attempts: int
    claimed_at: datetime
    details: dict[str, Any]


def build_notification_event(due: ClaimedRow) -> tuple[AnyEvent, int | None]:
    """Build the event of a notification."""
    if due.details["kind"] == NotificationKind.REMINDER:
        return build_game_reminder_event(due)
    if due.details["kind"] == NotificationKind.PERSONAL_REMINDER:
        return build_personal_reminder_event(due)
    if due.details["kind"] == NotificationKind.OFFER_END:
        return OfferEnded(row_id=due.id, game_id=due.game_id), None
    return build_notice_event(due)


def build_game_reminder_event(due: ClaimedRow) -> tuple[GameReminderDue, int]:
    """Build a reminder. Its TTL (milliseconds) ends when the game starts, and is at least 60,000."""
    starts_at: datetime = due.details["game_scheduled_at"]
    event = GameReminderDue(
        row_id=due.id,
        game_id=due.game_id,
        game_scheduled_at=starts_at,
        offset_minutes=due.details["offset_minutes"],
    )
    return event, _compute_ttl(due)


def build_personal_reminder_event(due: ClaimedRow) -> tuple[PersonalReminderDue, int]:
    """Build a reminder of one player, with the TTL of any reminder."""
    starts_at: datetime = due.details["game_scheduled_at"]
    event = PersonalReminderDue(row_id=due.id, game_id=due.game_id, game_scheduled_at=starts_at)
    return event, _compute_ttl(due)


def _compute_ttl(due: ClaimedRow) -> int:
    starts_at: datetime = due.details["game_scheduled_at"]
    until_start = (starts_at - due.claimed_at) // timedelta(milliseconds=1)
    return min(max(LEAST_TTL, until_start), MOST_TTL)


def build_notice_event(due: ClaimedRow) -> tuple[NoticeDue, None]:
    """Build a notice without TTL."""
    return NoticeDue(row_id=due.id, game_id=due.game_id, kind=due.details["kind"]), None


def build_status_transition_event(due: ClaimedRow) -> tuple[StatusTransitionDue, None]:
    """Build a status transition without TTL."""
    target = GameStatus(due.details["target_status"])
    return StatusTransitionDue(row_id=due.id, game_id=due.game_id, target_status=target), None


@dataclass(frozen=True)
class ScheduleTable:
    """The differences between the two scheduler loops."""

    name: Source
    table: Table
    rows: str
    """The suffix of its SQL statements' names."""
    kind_column: str
    queues: tuple[Queue, ...]
    build: Callable[[ClaimedRow], tuple[AnyEvent, int | None]]

    @property
    def kinds(self) -> list[str]:
        """The kinds of rows that this release knows. Others wait for a newer one."""
        return [kind for queue in self.queues for kind in queue.kinds]

    def queue_of(self, row: ClaimedRow) -> Queue:
        """Return a row's queue."""
        [queue] = [queue for queue in self.queues if row.details[self.kind_column] in queue.kinds]
        return queue


NOTIFICATIONS = ScheduleTable(
    Source.NOTIFICATIONS,
    NotificationSchedule,
    rows="notifications",
    kind_column="kind",
    queues=(topology.REMINDERS, topology.NOTICES, topology.ANNOUNCEMENTS),
    build=build_notification_event,
)
STATUS_TRANSITIONS = ScheduleTable(
    Source.STATUS_TRANSITIONS,
    GameStatusSchedule,
    rows="transitions",
    kind_column="target_status",
    queues=(topology.TRANSITIONS,),
    build=build_status_transition_event,
)
SOURCES = {source.name: source for source in (NOTIFICATIONS, STATUS_TRANSITIONS)}
