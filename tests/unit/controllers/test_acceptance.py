"""When a queue counts as one that takes no messages."""

from __future__ import annotations

import pytest

from controllers.loops.fullness import STUCK_AFTER, Acceptance
from shared.messaging.publisher import PublishResult
from tests.support.clock import Clock


@pytest.mark.parametrize("result", [PublishResult.FULL, PublishResult.FAILED])
async def test_a_queue_that_takes_nothing_for_minutes_is_stuck_until_it_takes_a_message(
    result: PublishResult, clock: Clock
) -> None:
    acceptance = Acceptance()
    began = clock.now
    for clock.now in (began, began + STUCK_AFTER / 2, began + STUCK_AFTER):
        assert not acceptance.is_stuck
        acceptance.observe([result])
    assert acceptance.is_stuck
    acceptance.observe([])
    assert acceptance.is_stuck
    acceptance.observe([PublishResult.CONFIRMED])
    assert not acceptance.is_stuck


async def test_a_queue_is_not_stuck_because_another_replica_published_what_it_refused(clock: Clock) -> None:
    acceptance = Acceptance()
    acceptance.observe([PublishResult.FAILED])
    began = clock.now
    for clock.now in (began + STUCK_AFTER, began + 10 * STUCK_AFTER):
        acceptance.observe([])
        assert not acceptance.is_stuck
    acceptance.observe([PublishResult.FAILED])
    assert not acceptance.is_stuck
