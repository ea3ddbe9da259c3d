from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from controllers.loops.sources import (
    LEAST_TTL,
    MOST_TTL,
    ClaimedRow,
    build_game_reminder_event,
    build_notification_event,
    build_status_transition_event,
)
from shared.messaging.envelope import GameReminderDue, NoticeDue, OfferEnded, PersonalReminderDue
from shared.models import GameStatus, NotificationKind

NOW = datetime(2026, 11, 1, 20, tzinfo=UTC)


def due(**details: object) -> ClaimedRow:
    return ClaimedRow(id=uuid4(), game_id=uuid4(), due_at=NOW, attempts=0, claimed_at=NOW, details=details)


def reminder(until_start: timedelta) -> ClaimedRow:
    return due(kind=NotificationKind.REMINDER, offset_minutes=10, game_scheduled_at=NOW + until_start)


@given(st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400)))
def test_a_reminder_lives_until_the_start_and_at_least_one_minute(until_start: timedelta) -> None:
    _, ttl = build_game_reminder_event(reminder(until_start))
    exact = until_start / timedelta(milliseconds=1)
    assert LEAST_TTL <= ttl <= MOST_TTL
    if LEAST_TTL <= exact <= MOST_TTL:
        assert exact - 1 < ttl <= exact


def test_a_reminder_names_its_game_and_offset() -> None:
    row = reminder(timedelta(minutes=10))
    event, ttl = build_notification_event(row)
    assert isinstance(event, GameReminderDue)
    assert (event.row_id, event.game_id, event.offset_minutes) == (row.id, row.game_id, 10)
    assert ttl == 600_000


def test_a_reminder_of_one_player_has_its_own_type_and_lives_as_long() -> None:
    row = due(kind=NotificationKind.PERSONAL_REMINDER, offset_minutes=None, game_scheduled_at=NOW + timedelta(hours=1))
    event, ttl = build_notification_event(row)
    assert isinstance(event, PersonalReminderDue)
    assert (event.row_id, event.game_id, ttl) == (row.id, row.game_id, 3_600_000)


def test_the_end_of_an_offer_is_an_event_that_older_bots_leave_alone_and_has_no_ttl() -> None:
    row = due(kind=NotificationKind.OFFER_END, offset_minutes=None, game_scheduled_at=NOW + timedelta(hours=1))
    event, ttl = build_notification_event(row)
    assert (event, ttl) == (OfferEnded(row_id=row.id, game_id=row.game_id), None)


def test_a_notice_never_expires() -> None:
    event, ttl = build_notification_event(due(kind=NotificationKind.CANCELLATION))
    assert isinstance(event, NoticeDue)
    assert ttl is None


@given(st.sampled_from(GameStatus))
def test_a_status_transition_never_expires(status: GameStatus) -> None:
    event, ttl = build_status_transition_event(due(target_status=status))
    assert event.target_status is status
    assert ttl is None
