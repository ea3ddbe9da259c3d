from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.models import Game, GameStatus
from shared.schedule.populate import reminder_times, transition_times

START = datetime(2026, 11, 1, 20, tzinfo=UTC)


def game(*, status: GameStatus = GameStatus.SCHEDULED, offsets: tuple[int, ...] = (1440, 60, 0)) -> Game:
    return Game(scheduled_at=START, duration=timedelta(hours=3), status=status, reminder_offsets=list(offsets))


def test_a_reminder_is_due_its_offset_before_the_start() -> None:
    assert reminder_times(game(), after=START - timedelta(days=2)) == {
        1440: START - timedelta(days=1),
        60: START - timedelta(hours=1),
        0: START,
    }


def test_reminders_that_would_be_in_the_past_are_left_out() -> None:
    assert reminder_times(game(), after=START - timedelta(hours=1)) == {0: START}


@pytest.mark.parametrize("status", [status for status in GameStatus if status is not GameStatus.SCHEDULED])
def test_only_a_scheduled_game_has_reminders(status: GameStatus) -> None:
    assert reminder_times(game(status=status), after=START - timedelta(days=2)) == {}


@pytest.mark.parametrize(
    ("status", "ahead"),
    [
        (GameStatus.SCHEDULED, {GameStatus.IN_PROGRESS, GameStatus.COMPLETED}),
        (GameStatus.IN_PROGRESS, {GameStatus.COMPLETED}),
        (GameStatus.COMPLETED, set()),
        (GameStatus.CANCELLED, set()),
    ],
)
def test_a_game_has_only_the_remaining_status_changes(status: GameStatus, ahead: set[GameStatus]) -> None:
    assert set(transition_times(game(status=status))) == ahead
