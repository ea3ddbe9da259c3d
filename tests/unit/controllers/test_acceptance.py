"""When a queue counts as one that takes no messages."""

from __future__ import annotations

import pytest

from controllers.loops import fullness
from controllers.loops.fullness import STUCK_AFTER, Acceptance
from shared.messaging.publisher import PublishResult


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The event loop's time, which the test sets."""
    now = [0.0]

    class Loop:
        def time(self) -> float:
            return now[0]

    monkeypatch.setattr(fullness.asyncio, "get_running_loop", Loop)
    return now


@pytest.mark.parametrize("result", [PublishResult.FULL, PublishResult.FAILED])
def test_a_queue_that_takes_nothing_for_minutes_is_stuck_until_it_takes_a_message(
    result: PublishResult, clock: list[float]
) -> None:
    acceptance = Acceptance()
    for clock[0] in (0.0, STUCK_AFTER / 2, STUCK_AFTER):
        assert not acceptance.is_stuck
        acceptance.observe([result])
    assert acceptance.is_stuck
    acceptance.observe([])
    assert acceptance.is_stuck
    acceptance.observe([PublishResult.CONFIRMED])
    assert not acceptance.is_stuck


def test_a_queue_is_not_stuck_because_another_replica_published_what_it_refused(clock: list[float]) -> None:
    acceptance = Acceptance()
    acceptance.observe([PublishResult.FAILED])
    for clock[0] in (STUCK_AFTER, 10 * STUCK_AFTER):
        acceptance.observe([])
        assert not acceptance.is_stuck
    acceptance.observe([PublishResult.FAILED])
    assert not acceptance.is_stuck
