from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.schedule.retry import Backoff


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
