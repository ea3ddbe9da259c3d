"""Whatever happens, in any order: nothing is lost, nothing told twice, and every change is one that the rules know."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import run_state_machine_as_test

from shared.settings import DatabaseSettings, Timing
from tests.model.machine import Questbell
from tests.model.world import World

EXAMPLES, STEPS = 50, 30
TRIES = 3
"""The jitter of backoffs may let the same steps lead to another state, with other rules to choose from. Hypothesis then
stops, having shown nothing, and the run begins anew; a rule that is broken fails at once."""
LINES = 20
"""How many different lines of docs/states.md a run must have come by, to be worth anything."""


@contextmanager
def built(where: DatabaseSettings) -> Iterator[tuple[World, asyncio.Runner]]:
    """A world in a loop of its own: what Hypothesis drives is not a coroutine, and the tests' loop is not running."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        building = World.built(where, Timing())
        world = runner.run(building.__aenter__())
        try:
            yield world, runner
        finally:
            runner.run(building.__aexit__(None, None, None))


def chosen_seed(config: pytest.Config) -> int | None:
    """Return the seed that was given, else a new one, or none where Hypothesis is to do the same each time (in CI)."""
    given = config.getoption("--hypothesis-seed")
    if given is not None:
        return int(given)
    return None if settings().derandomize else random.getrandbits(32)


@pytest.mark.timeout(900)  # a failure is made smaller before it is shown
def test_whatever_happens_nothing_is_lost_or_told_twice(
    model_database: DatabaseSettings, pytestconfig: pytest.Config
) -> None:
    chosen = chosen_seed(pytestconfig)
    print("as always in CI" if chosen is None else f"again with --hypothesis-seed={chosen}")
    seen: Counter[str] = Counter()
    with built(model_database) as (world, runner):

        def machine() -> Questbell:
            return Questbell(world, runner, seen)

        for left in reversed(range(TRIES)):
            try:
                _run(machine if chosen is None else seed(chosen)(machine))
                break
            except FlakyStrategyDefinition:
                if not left:
                    raise
    print(dict(seen.most_common()))
    assert len(seen) >= LINES


def _run(machine: Any) -> None:
    run_state_machine_as_test(
        cast(Any, machine),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
