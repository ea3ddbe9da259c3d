from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import TransientError
from shared.schedule.retry import Backoff, retry


@given(attempt=st.integers(min_value=0, max_value=10_000), first=st.floats(0.01, 10), longest=st.floats(10, 900))
def test_a_delay_never_exceeds_its_bound_and_jitter_takes_at_most_a_quarter(
    attempt: int, first: float, longest: float
) -> None:
    exact = min(longest, first * 2.0 ** min(max(attempt, 1) - 1, 30))
    assert exact * 0.75 <= Backoff(first=first, longest=longest).delay(attempt) <= exact


def test_delays_double_until_the_longest() -> None:
    backoff = Backoff(first=1, longest=60)
    bounds = [max(backoff.delay(attempt) for _ in range(200)) for attempt in range(1, 9)]
    for bound, expected in zip(bounds, [1, 2, 4, 8, 16, 32, 60, 60], strict=True):
        assert 0.9 * expected < bound <= expected


class Failing:
    """Fails a number of times, then succeeds."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            raise TransientError(f"call {self.calls}")
        return "done"


QUICK = Backoff(first=0.001, longest=0.001)


async def test_work_is_repeated_until_it_succeeds_and_each_failure_is_reported() -> None:
    failures: list[str] = []
    work = Failing(3)
    assert await retry(work, backoff=QUICK, on_failure=lambda error: failures.append(str(error))) == "done"
    assert failures == ["call 1", "call 2", "call 3"]


async def test_the_last_failure_is_raised_after_the_given_number_of_attempts() -> None:
    work = Failing(5)
    with pytest.raises(TransientError, match="call 3"):
        await retry(work, backoff=QUICK, attempts=3)
    assert work.calls == 3


async def test_no_attempt_begins_after_the_given_time() -> None:
    work = Failing(5)
    with pytest.raises(TransientError, match="call 1"):
        await retry(work, backoff=Backoff(first=10.0, longest=10.0), within=1.0)


async def test_an_error_that_is_not_transient_is_raised_at_once() -> None:
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await retry(work, backoff=QUICK)
    assert calls == 1
