from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.errors import EnvelopeError, NewerMessageError
from shared.messaging.envelope import (
    SCHEMA_VERSION,
    AnyEvent,
    GameReminderDue,
    NoticeDue,
    OfferEnded,
    PersonalReminderDue,
    StatusTransitionDue,
    attempt_of,
    decode,
    encode,
)
from shared.models import GameStatus, NotificationKind

EVENTS: list[AnyEvent] = [
    GameReminderDue(row_id=uuid4(), game_id=uuid4(), game_scheduled_at=datetime.now(UTC), offset_minutes=10),
    NoticeDue(row_id=uuid4(), game_id=uuid4(), kind=NotificationKind.CANCELLATION),
    PersonalReminderDue(row_id=uuid4(), game_id=uuid4(), game_scheduled_at=datetime.now(UTC)),
    OfferEnded(row_id=uuid4(), game_id=uuid4()),
    StatusTransitionDue(row_id=uuid4(), game_id=uuid4(), target_status=GameStatus.COMPLETED),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_type)
def test_an_event_is_the_same_after_encoding_and_decoding(event: AnyEvent) -> None:
    assert decode(encode(event)) == event


def test_the_trace_id_is_the_rows_id() -> None:
    assert EVENTS[0].row_id.hex in json.loads(encode(EVENTS[0]))["traceparent"]


def test_the_previous_schema_version_is_readable() -> None:
    body = json.loads(encode(EVENTS[1])) | {"schema_version": SCHEMA_VERSION - 1}
    assert decode(json.dumps(body).encode()) == EVENTS[1]


def test_unknown_fields_are_ignored() -> None:
    body = json.loads(encode(EVENTS[1]))
    body["data"]["mood"] = "merry"
    assert decode(json.dumps(body).encode()) == EVENTS[1]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "body"),
        (b"\xff\xfe", "body"),
        (b"[]", "body"),
        (b"{}", "data"),
        (json.dumps({"schema_version": 1, "data": {"event_type": "game.exploded"}}).encode(), "data"),
        (json.dumps(json.loads(encode(EVENTS[1])) | {"schema_version": -1}).encode(), "version -1"),
    ],
)
def test_an_unreadable_message_says_why(body: bytes, why: str) -> None:
    with pytest.raises(EnvelopeError, match=why):
        decode(body)


def newer(envelope: dict[str, object], **data: object) -> bytes:
    body = json.loads(encode(EVENTS[1]))
    return json.dumps(body | envelope | {"data": body["data"] | data}).encode()


@pytest.mark.parametrize(
    "body",
    [
        newer({"schema_version": SCHEMA_VERSION + 1}),
        newer({}, event_type="game.moved"),
        newer({"occurred_at": 7}, event_type="game.moved"),
    ],
)
def test_a_newer_releases_message_is_recognised(body: bytes) -> None:
    with pytest.raises(NewerMessageError, match=str(EVENTS[1].row_id)):
        decode(body)


@pytest.mark.parametrize("field", ["game_scheduled_at", "offset_minutes", "kind", "target_status"])
def test_an_event_needs_no_field_that_its_row_has(field: str) -> None:
    for event in EVENTS:
        body = json.loads(encode(event))
        body["data"].pop(field, None)
        assert decode(json.dumps(body).encode()).row_id == event.row_id


@pytest.mark.parametrize(
    ("headers", "attempt"), [({}, 0), ({"questbell-attempt": 3}, 3), ({"questbell-attempt": "x"}, 0)]
)
def test_a_missing_or_invalid_attempt_counts_as_zero(headers: dict[str, object], attempt: int) -> None:
    assert attempt_of(headers) == attempt
