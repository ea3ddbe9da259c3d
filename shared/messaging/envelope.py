"""The messages on RabbitMQ. An event only names a row in PostgreSQL, so an outdated message does no harm."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.errors import EnvelopeError, NewerMessageError
from shared.models import GameStatus, NotificationKind

SCHEMA_VERSION = 1
READABLE_VERSIONS = {SCHEMA_VERSION, SCHEMA_VERSION - 1}
"""This version and the previous one, so that controllers and bot upgrade in any order."""

TRANSITION = "transition"
"""The kind of a row that is a status transition."""
ATTEMPT_HEADER = "questbell-attempt"
"""The row's attempt. Not an `x-` header, because RabbitMQ 4 reserves those."""


class Event(BaseModel):
    """A row that is due. Everything but its id comes from the row: the other fields are for logs, or for the previous
    release."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_type: str
    row_id: UUID
    game_id: UUID
    kinds: ClassVar[frozenset[str]]
    """The kinds of rows that it may name."""


class GameReminderDue(Event):
    """A reminder is due."""

    kinds = frozenset({NotificationKind.REMINDER})
    event_type: Literal["game.reminder_due"] = "game.reminder_due"
    game_scheduled_at: AwareDatetime | None = None
    offset_minutes: int | None = None


class PersonalReminderDue(Event):
    """A reminder of one player is due. An older bot leaves it alone, because it does not know this type."""

    kinds = frozenset({NotificationKind.PERSONAL_REMINDER})
    event_type: Literal["game.personal_reminder_due"] = "game.personal_reminder_due"
    game_scheduled_at: AwareDatetime | None = None


class OfferEnded(Event):
    """The time to take an offered seat is over. An older bot leaves it alone, because it does not know this type."""

    kinds = frozenset({NotificationKind.OFFER_END})
    event_type: Literal["game.offer_ended"] = "game.offer_ended"


class NoticeDue(Event):
    """A notice or announcement update is due."""

    kinds = frozenset(NotificationKind) - GameReminderDue.kinds - PersonalReminderDue.kinds - OfferEnded.kinds
    event_type: Literal["game.notice_due"] = "game.notice_due"
    kind: NotificationKind | str | None = None


class StatusTransitionDue(Event):
    """A game's status must change."""

    kinds = frozenset({TRANSITION})
    event_type: Literal["game.status_transition_due"] = "game.status_transition_due"
    target_status: GameStatus | str | None = None


AnyEvent = GameReminderDue | PersonalReminderDue | OfferEnded | NoticeDue | StatusTransitionDue
EVENT_TYPES: dict[str, type[AnyEvent]] = {
    str(event.model_fields["event_type"].default): event
    for event in (GameReminderDue, PersonalReminderDue, OfferEnded, NoticeDue, StatusTransitionDue)
}


KNOWN_KINDS: frozenset[str] = frozenset().union(*(event.kinds for event in EVENT_TYPES.values()))
"""The kinds of rows that this release knows."""


def check_kind(event: AnyEvent, kind: str | None) -> None:
    """Compare an event with its row's kind, None without a row. Kinds of a newer release are for that to judge.

    Raises:
        EnvelopeError: the event contradicts its row.
    """
    if kind in KNOWN_KINDS and kind not in event.kinds:
        raise EnvelopeError(f"{event.event_type} names a row of the kind {kind}")


class Envelope(BaseModel):
    """The body of every message."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA_VERSION
    occurred_at: AwareDatetime
    data: Annotated[AnyEvent, Field(discriminator="event_type")]
    traceparent: str


class _HeaderData(BaseModel):
    event_type: str
    row_id: UUID


class _Header(BaseModel):
    """What the envelopes of all releases have in common."""

    schema_version: int = SCHEMA_VERSION
    data: _HeaderData


def encode(event: AnyEvent) -> bytes:
    """Return an event's message body. Its trace id is the row's id."""
    envelope = Envelope(
        occurred_at=datetime.now(UTC), data=event, traceparent=f"00-{event.row_id.hex}-{secrets.token_hex(8)}-01"
    )
    return envelope.model_dump_json().encode()


def decode(body: bytes) -> AnyEvent:
    """Return a message body's event.

    Raises:
        NewerMessageError: a newer release sent it.
        EnvelopeError: the body is not an envelope.
    """
    try:
        envelope = Envelope.model_validate_json(body)
    except ValidationError as error:
        _raise_if_newer(body)
        raise EnvelopeError(f"unreadable message: {_problems(error)}") from error
    if envelope.schema_version not in READABLE_VERSIONS:
        _raise_if_newer(body)
        raise EnvelopeError(f"schema version {envelope.schema_version} is not one of {sorted(READABLE_VERSIONS)}")
    return envelope.data


def _raise_if_newer(body: bytes) -> None:
    """Raise NewerMessageError if a newer release sent a message, whose envelope may differ in all but the header."""
    try:
        header = _Header.model_validate_json(body)
    except ValidationError:
        return
    if header.schema_version > SCHEMA_VERSION or header.data.event_type not in EVENT_TYPES:
        raise NewerMessageError(
            f"a newer release sent this {header.data.event_type} of schema version {header.schema_version} "
            f"for the row {header.data.row_id}"
        )


def attempt_of(headers: dict[str, Any] | Any) -> int:
    """Return a message's attempt, or 0 without a valid header."""
    value = headers.get(ATTEMPT_HEADER, 0)
    return value if isinstance(value, int) else 0


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}" for problem in error.errors()[:3]
    )
