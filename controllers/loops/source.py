"""What makes one scheduler loop differ from another: its table, that table's own columns, and its event builder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import InstrumentedAttribute

from controllers.event_builders import Due, build_notification_event, build_status_transition_event
from controllers.resources.models import Source
from shared.messaging.envelope import AnyEvent
from shared.models import GameStatusSchedule, NotificationSchedule
from shared.schedule.settle import Table


@dataclass(frozen=True)
class DispatchSource:
    """What makes one scheduler loop differ from the other: a table, its own columns and its event builder."""

    name: Source
    table: Table
    details: Sequence[InstrumentedAttribute[Any]]
    urgency: InstrumentedAttribute[datetime]
    starts_at: InstrumentedAttribute[datetime] | None
    build: Callable[[Due], tuple[AnyEvent, int | None]]


NOTIFICATIONS = DispatchSource(
    name=Source.NOTIFICATIONS,
    table=NotificationSchedule,
    details=(NotificationSchedule.kind, NotificationSchedule.offset_minutes, NotificationSchedule.game_scheduled_at),
    urgency=NotificationSchedule.game_scheduled_at,
    starts_at=NotificationSchedule.game_scheduled_at,
    build=build_notification_event,
)
STATUS_TRANSITIONS = DispatchSource(
    name=Source.STATUS_TRANSITIONS,
    table=GameStatusSchedule,
    details=(GameStatusSchedule.target_status,),
    urgency=GameStatusSchedule.due_at,
    starts_at=None,
    build=build_status_transition_event,
)
SOURCES = {source.name: source for source in (NOTIFICATIONS, STATUS_TRANSITIONS)}
