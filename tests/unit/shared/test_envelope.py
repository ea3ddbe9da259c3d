from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.errors import EnvelopeError
from shared.messaging.envelope import (
    SCHEMA_VERSION,
    AnyEvent,
    GameReminderDue,
    NoticeDue,
    StatusTransitionDue,
    attempt_of,
    decode,
    encode,
)
from shared.models import GameStatus, NotificationKind

EVENTS: list[AnyEvent] = [
    GameReminderDue(row_id=uuid4(), game_id=uuid4(), game_scheduled_at=datetime.now(UTC), offset_minutes=10),
    NoticeDue(row_id=uuid4(), game_id=uuid4(), kind=NotificationKind.CANCELLATION),
    StatusTransitionDue(row_id=uuid4(), game_id=uuid4(), target_status=GameStatus.COMPLETED),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_type)
def test_an_event_survives_the_way(event: AnyEvent) -> None:
    assert decode(encode(event)) == event


def test_the_trace_id_is_the_rows_id() -> None:
    assert EVENTS[0].row_id.hex in json.loads(encode(EVENTS[0]))["traceparent"]


def test_the_version_before_ours_is_read() -> None:
    body = json.loads(encode(EVENTS[1])) | {"schema_version": SCHEMA_VERSION - 1}
    assert decode(json.dumps(body).encode()) == EVENTS[1]


def test_fields_of_a_later_release_are_passed_over() -> None:
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
        (json.dumps(json.loads(encode(EVENTS[1])) | {"schema_version": 99}).encode(), "version 99"),
    ],
)
def test_what_cannot_be_read_says_why(body: bytes, why: str) -> None:
    with pytest.raises(EnvelopeError, match=why):
        decode(body)


@pytest.mark.parametrize(
    ("headers", "attempt"), [({}, 0), ({"questbell-attempt": 3}, 3), ({"questbell-attempt": "x"}, 0)]
)
def test_a_missing_or_foreign_attempt_counts_as_none(headers: dict[str, object], attempt: int) -> None:
    assert attempt_of(headers) == attempt
