"""The story of a row: what is known to have happened, in order, with its distance from the moment it was due.

Only what was recorded is told. A row keeps the last error and the number of attempts, not the time of each, so
attempts before the last show in the logs alone (`kubectl logs` with the row's id).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cli import meaning
from cli.found import Found
from cli.meaning import Meaning
from cli.words import counted
from shared.discord.ids import created_at, nonce_for
from shared.models import (
    DeliveryState,
    DueRow,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
)
from shared.schedule.notices import BEGUN_AFTER, VALIDITY
from shared.settings import Timing


@dataclass(frozen=True)
class Happened:
    """Something at a time, `from_due` seconds after the row was due."""

    at: datetime
    from_due: float
    what: str


@dataclass(frozen=True)
class Recipient:
    """A ledger row. Discord's ids are text: they exceed what many programs read as a number."""

    ledger_id: UUID
    nonce: str
    kind: str
    recipient_id: str
    chunk: int
    mentions: list[str]
    state: DeliveryState
    attempts: int
    lease_until: datetime | None
    message_id: str | None
    last_error: str | None
    means: str


@dataclass(frozen=True)
class RowStory:
    """One notification or transition."""

    id: UUID
    table: str
    what: str
    due_at: datetime
    attempts: int
    last_error: str | None
    outcome: str | None
    outcome_detail: str | None
    lateness_seconds: float | None
    expires_at: datetime | None
    timeline: list[Happened]
    recipients: list[Recipient]
    parked_copies: list[UUID]
    means: Meaning


@dataclass(frozen=True)
class GameFacts:
    """The game that the rows belong to."""

    id: UUID
    title: str
    status: str
    scheduled_at: datetime
    zone: str
    version: int
    guild_id: str
    channel_id: str
    message_id: str | None


@dataclass(frozen=True)
class Story:
    """What `trace` tells. `now` is the database's clock."""

    now: datetime
    game: GameFacts
    rows: list[RowStory]


def story(found: Found, *, timing: Timing) -> Story:
    """Return the story of what was found, rows in order of their due time."""
    game = found.game
    facts = GameFacts(
        id=game.id,
        title=game.title,
        status=game.status,
        scheduled_at=game.scheduled_at,
        zone=game.zone,
        version=game.version,
        guild_id=str(game.guild_id),
        channel_id=str(game.channel_id),
        message_id=None if game.message_id is None else str(game.message_id),
    )
    rows: list[DueRow] = sorted((*found.notifications, *found.transitions), key=lambda row: row.due_at)
    return Story(found.now, facts, [_row_story(row, found, timing) for row in rows])


def _row_story(row: DueRow, found: Found, timing: Timing) -> RowStory:
    ledger = [delivery for delivery in found.ledger if delivery.notification_id == row.id]
    happened = [Happened(at, (at - row.due_at).total_seconds(), what) for at, what in _moments(row, ledger, found.now)]
    return RowStory(
        id=row.id,
        table="game_status_schedule" if isinstance(row, GameStatusSchedule) else "notification_schedule",
        what=_what(row),
        due_at=row.due_at,
        attempts=row.attempts,
        last_error=row.last_error,
        outcome=row.outcome,
        outcome_detail=row.outcome_detail,
        lateness_seconds=meaning.lateness(row, ledger),
        expires_at=_expires_at(row),
        timeline=sorted(happened, key=lambda it: it.at),
        recipients=[_recipient(delivery, row, found.now, timing) for delivery in ledger],
        parked_copies=[copy.id for copy in found.parked if copy.message_id == str(row.id)],
        means=meaning.of_row(row, found.game, ledger, now=found.now),
    )


def _what(row: DueRow) -> str:
    if isinstance(row, GameStatusSchedule):
        return f"status {row.target_status}"
    if isinstance(row, NotificationSchedule) and row.kind is NotificationKind.REMINDER:
        return f"reminder {counted(row.offset_minutes or 0, 'minute')} before"
    return str(row.kind) if isinstance(row, NotificationSchedule) else "row"


def _expires_at(row: DueRow) -> datetime | None:
    if not isinstance(row, NotificationSchedule) or row.settled_at is not None:
        return None
    return row.game_scheduled_at + BEGUN_AFTER if VALIDITY[row.kind].expires_at_begin else None


def _moments(row: DueRow, ledger: list[NotificationDelivery], now: datetime) -> Iterator[tuple[datetime, str]]:
    yield row.created_at, "written"
    yield row.due_at, "due"
    if ledger:
        yield min(one.created_at for one in ledger), f"taken up by the bot: {counted(len(ledger), 'message')} to send"
    for delivery in ledger:
        yield from _sending(delivery)
    if row.settled_at is not None:
        detail = f": {row.outcome_detail}" if row.outcome_detail else ""
        yield row.settled_at, f"settled {row.outcome}{detail}"
    else:
        yield now, "now"


def _sending(delivery: NotificationDelivery) -> Iterator[tuple[datetime, str]]:
    to = f"{delivery.recipient_kind} {delivery.recipient_id}" + (
        f" part {delivery.chunk + 1}" if delivery.chunk else ""
    )
    if delivery.first_sending_at is not None:
        yield delivery.first_sending_at, f"sending to {to} began"
    if delivery.message_id is not None:
        yield created_at(delivery.message_id), f"Discord made message {delivery.message_id} (its clock)"
    if delivery.finished_at is not None:
        error = f": {delivery.last_error}" if delivery.last_error else ""
        yield delivery.finished_at, f"{to} recorded as {delivery.state}{error}"


def _recipient(delivery: NotificationDelivery, row: DueRow, now: datetime, timing: Timing) -> Recipient:
    ended = row.settled_at is not None
    return Recipient(
        ledger_id=delivery.id,
        nonce=nonce_for(delivery.id),
        kind=delivery.recipient_kind,
        recipient_id=str(delivery.recipient_id),
        chunk=delivery.chunk,
        mentions=[str(user_id) for user_id in delivery.mentions],
        state=delivery.state,
        attempts=delivery.attempts,
        lease_until=delivery.lease_until,
        message_id=None if delivery.message_id is None else str(delivery.message_id),
        last_error=delivery.last_error,
        means=meaning.of_recipient(delivery, ended=ended, now=now, timing=timing),
    )
