"""Whatever happens, in any order: nothing is lost, and nothing is delivered twice."""

from __future__ import annotations

import asyncio
import random
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
TRANSITIONS = 20
"""How many different transitions a run must show to be worth anything."""


@contextmanager
def built(where: DatabaseSettings) -> Iterator[tuple[World, asyncio.Runner]]:
    """Build a world in another event loop: Hypothesis does not drive coroutines, and the tests' loop is not running."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        building = World.built(where, Timing())
        world = runner.run(building.__aenter__())
        try:
            yield world, runner
        finally:
            runner.run(building.__aexit__(None, None, None))


def chosen_seed(config: pytest.Config) -> int | None:
    """Return the seed that was given, else a new one, or None if Hypothesis must do the same each time, as in CI."""
    given = config.getoption("--hypothesis-seed")
    if given is not None:
        return int(given)
    return None if settings().derandomize else random.getrandbits(32)


@pytest.mark.timeout(900)  # Hypothesis shrinks a failure before it shows it
def test_nothing_is_lost_or_delivered_twice_whatever_happens(
    model_database: DatabaseSettings, pytestconfig: pytest.Config
) -> None:
    chosen = chosen_seed(pytestconfig)
    print("the seed of CI" if chosen is None else f"repeat with --hypothesis-seed={chosen}")
    seen: set[str] = set()
    with built(model_database) as (world, runner):

        def machine() -> Questbell:
            return Questbell(world, runner, seen)

        _run(machine if chosen is None else seed(chosen)(machine))
    print(sorted(seen))
    assert len(seen) >= TRANSITIONS


def _run(machine: Any) -> None:
    """Run the machine. An example that goes another way when it is repeated, because the database answered concurrent
    statements in another order, says nothing, so the run is repeated once."""
    options = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    try:
        run_state_machine_as_test(cast(Any, machine), settings=options)
    except FlakyStrategyDefinition as error:
        print(f"repeated: {error}")
        run_state_machine_as_test(cast(Any, machine), settings=options)
