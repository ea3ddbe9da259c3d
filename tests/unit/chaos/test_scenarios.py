"""The matrix as it is offered: unique names, a line for each scenario, and a quick subset."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from shared.errors import ConfigurationError
from tests.chaos.main import choose
from tests.chaos.report import show_list
from tests.chaos.scenarios import GROUPS, SCENARIOS

QUICK_AT_LEAST = 10


def test_no_name_is_used_in_two_groups():
    assert len(SCENARIOS) == sum(len(group) for group in GROUPS.values())


def test_the_quick_subset_has_at_least_ten_scenarios_and_not_all():
    assert QUICK_AT_LEAST <= len(choose([], quick=True)) < len(SCENARIOS)


def test_scenarios_are_chosen_by_name_in_the_order_of_the_matrix():
    assert choose(["everything", "calm"], quick=True) == ["calm", "everything"]
    assert choose([], quick=False) == list(SCENARIOS)


def test_an_unknown_scenario_is_an_error():
    with pytest.raises(ConfigurationError, match="calmer"):
        choose(["calm", "calmer"], quick=False)


def test_the_list_shows_groups_names_what_each_guards_and_which_are_quick():
    output = StringIO()
    show_list(Console(file=output, width=60), GROUPS)
    lines = output.getvalue().splitlines()
    assert [line for line in lines if line in GROUPS] == list(GROUPS)
    [calm] = [line for line in lines if line.split()[:2] == ["calm", "quick"]]
    assert calm.endswith(SCENARIOS["calm"].guards)
    [killed] = [line for line in lines if line.split()[:1] == ["bot-killed"]]
    assert (killed.split()[1], killed.endswith(SCENARIOS["bot-killed"].guards)) == ("A", True)
