"""The history of each row, with distances from its due time. Earlier attempts are only in the logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cli.commands.trace.explain import StateExplanation, explain_delivery, explain_row, lateness_seconds
from cli.commands.trace.lookup import TraceData
from shared.audit import Entry
from shared.discord.ids import created_at, nonce_for
from shared.formatting import plural
from shared.models import (
    DeliveryState,
    DueRow,
    Game,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
)
from shared.schedule.notices import BEGUN_AFTER, VALIDITY
from shared.settings import Timing


@dataclass(frozen=True)
class TimelineEvent:
    """An event, `offset_seconds` after the due time."""

    at: datetime
    offset_seconds: float
    event: str


@dataclass(frozen=True)
class DeliveryTrace:
    """A delivery. Discord's ids are text because many programs cannot read such large numbers."""

    id: UUID
    nonce: str
    recipient_kind: str
    recipient_id: str
    chunk: int
    mentions: list[str]
    state: DeliveryState
    attempts: int
    lease_until: datetime | None
    message_id: str | None
    last_error: str | None
    explanation: str


@dataclass(frozen=True)
class RowTrace:
    """A notification or status change."""

    id: UUID
    table: str
    label: str
    due_at: datetime
    attempts: int
    last_error: str | None
    outcome: str | None
    outcome_detail: str | None
    lateness_seconds: float | None
    expires_at: datetime | None
    timeline: list[TimelineEvent]
    deliveries: list[DeliveryTrace]
    parked_messages: list[UUID]
    explanation: StateExplanation


@dataclass(frozen=True)
class GameSummary:
    """The game of the rows."""

    id: UUID
    title: str
    status: str
    scheduled_at: datetime
    zone: str
    version: int
    guild_id: str
    channel_id: str
    message_id: str | None
    series_id: UUID | None
    occurrence: datetime | None
    """The local time that the rule of its series gave it."""
    series_rule: str | None


@dataclass(frozen=True)
class GameChange:
    """Who changed the game. `actor_id` is None for the bot."""

    at: datetime
    actor_id: str | None
    action: str
    user_id: str | None
    changed: Mapping[str, Any]


@dataclass(frozen=True)
class TraceReport:
    """The output of `trace`. `now` is the database's clock."""

    now: datetime
    game: GameSummary
    history: list[GameChange]
    rows: list[RowTrace]


def build_report(data: TraceData, *, timing: Timing) -> TraceReport:
    """Return the history of the rows, by due time."""
    rows: list[DueRow] = sorted((*data.notifications, *data.transitions), key=lambda row: row.due_at)
    history = [_list_change(entry) for entry in reversed(data.history)]
    return TraceReport(data.now, _summarize(data.game), history, [_trace_row(row, data, timing) for row in rows])


def _list_change(entry: Entry) -> GameChange:
    user_id = entry.detail.get("user_id")
    return GameChange(
        at=entry.at,
        actor_id=None if entry.actor_id is None else str(entry.actor_id),
        action=entry.action,
        user_id=None if user_id is None else str(user_id),
        changed=entry.detail.get("changed", {}),
    )


def _summarize(game: Game) -> GameSummary:
    return GameSummary(
        id=game.id,
        title=game.title,
        status=game.status,
        scheduled_at=game.scheduled_at,
        zone=game.zone,
        version=game.version,
        guild_id=str(game.guild_id),
        channel_id=str(game.channel_id),
        message_id=None if game.message_id is None else str(game.message_id),
        series_id=game.series_id,
        occurrence=game.occurrence,
        series_rule=game.series_rule,
    )


def _trace_row(row: DueRow, data: TraceData, timing: Timing) -> RowTrace:
    deliveries = [delivery for delivery in data.deliveries if delivery.notification_id == row.id]
    events = [
        TimelineEvent(at, (at - row.due_at).total_seconds(), event)
        for at, event in _row_events(row, deliveries, data.now)
    ]
    return RowTrace(
        id=row.id,
        table="game_status_schedule" if isinstance(row, GameStatusSchedule) else "notification_schedule",
        label=_label(row),
        due_at=row.due_at,
        attempts=row.attempts,
        last_error=row.last_error,
        outcome=row.outcome,
        outcome_detail=row.outcome_detail,
        lateness_seconds=lateness_seconds(row, deliveries),
        expires_at=_expires_at(row),
        timeline=sorted(events, key=lambda event: event.at),
        deliveries=[_trace_delivery(delivery, row, data.now, timing) for delivery in deliveries],
        parked_messages=[parked.id for parked in data.parked if parked.message_id == str(row.id)],
        explanation=explain_row(row, data.game, deliveries, now=data.now),
    )


def _label(row: DueRow) -> str:
    if isinstance(row, GameStatusSchedule):
        return f"status {row.target_status}"
    if isinstance(row, NotificationSchedule) and row.kind is NotificationKind.REMINDER:
        return f"reminder {plural(row.offset_minutes or 0, 'minute')} before"
    if not isinstance(row, NotificationSchedule):
        return "row"
    why = f" ({row.reason})" if row.kind is NotificationKind.PERSONAL_REMINDER else ""
    return f"{row.kind}{why}" if row.user_id is None else f"{row.kind}{why} for user {row.user_id}"


def _expires_at(row: DueRow) -> datetime | None:
    if not isinstance(row, NotificationSchedule) or row.settled_at is not None:
        return None
    validity = VALIDITY.get(row.kind)
    return row.game_scheduled_at + BEGUN_AFTER if validity is not None and validity.expires_at_begin else None


def _row_events(row: DueRow, deliveries: list[NotificationDelivery], now: datetime) -> Iterator[tuple[datetime, str]]:
    yield row.created_at, "created"
    yield row.due_at, "due"
    if deliveries:
        picked_up_at = min(delivery.created_at for delivery in deliveries)
        yield picked_up_at, f"picked up by the bot: {plural(len(deliveries), 'message')} to send"
    for delivery in deliveries:
        yield from _delivery_events(delivery)
    if row.settled_at is not None:
        detail = f": {row.outcome_detail}" if row.outcome_detail else ""
        yield row.settled_at, f"settled as {row.outcome}{detail}"
    else:
        yield now, "now"


def _delivery_events(delivery: NotificationDelivery) -> Iterator[tuple[datetime, str]]:
    part = f" part {delivery.chunk + 1}" if delivery.chunk else ""
    recipient = f"{delivery.recipient_kind} {delivery.recipient_id}{part}"
    if delivery.first_sending_at is not None:
        yield delivery.first_sending_at, f"sending to {recipient}"
    if delivery.message_id is not None:
        yield created_at(delivery.message_id), f"Discord created message {delivery.message_id} (Discord's clock)"
    if delivery.finished_at is not None:
        error = f": {delivery.last_error}" if delivery.last_error else ""
        yield delivery.finished_at, f"{recipient} recorded as {delivery.state}{error}"


def _trace_delivery(delivery: NotificationDelivery, row: DueRow, now: datetime, timing: Timing) -> DeliveryTrace:
    is_settled = row.settled_at is not None
    return DeliveryTrace(
        id=delivery.id,
        nonce=nonce_for(delivery.id),
        recipient_kind=delivery.recipient_kind,
        recipient_id=str(delivery.recipient_id),
        chunk=delivery.chunk,
        mentions=[str(user_id) for user_id in delivery.mentions],
        state=delivery.state,
        attempts=delivery.attempts,
        lease_until=delivery.lease_until,
        message_id=None if delivery.message_id is None else str(delivery.message_id),
        last_error=delivery.last_error,
        explanation=explain_delivery(delivery, is_settled=is_settled, now=now, timing=timing),
    )
