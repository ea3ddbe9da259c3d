"""The transitions are what the product does, no more and no less, and docs/states.md is made from them."""

from __future__ import annotations

import pytest

from tests.model.scenarios import SCENARIOS, Scenario
from tests.model.world import World
from tests.support import states_page
from tests.support.transitions import RECOVER, TRANSITIONS


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_a_scenario_shows_its_transitions(scenario: Scenario, world: World) -> None:
    await scenario(world)
    missing = SCENARIOS[scenario] - await world.transitions()
    assert not missing


def test_each_transition_is_shown_by_a_scenario() -> None:
    by_loops_and_commands = {transition.key for transition in TRANSITIONS if transition.by != RECOVER}
    assert set().union(*SCENARIOS.values()) == by_loops_and_commands


def test_the_names_of_a_tables_transitions_differ() -> None:
    keys = [transition.key for transition in TRANSITIONS]
    assert len(keys) == len(set(keys))


def test_the_page_of_states_is_made_from_the_transitions() -> None:
    assert states_page.PAGE.read_text(encoding="utf-8") == states_page.render(), (
        "run python -m tests.support.states_page"
    )
