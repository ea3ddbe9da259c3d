"""The matrix as it is offered: a quick subset that is worth its name."""

from __future__ import annotations

import pytest

from shared.errors import ConfigurationError
from tests.chaos.cells import CELLS
from tests.chaos.main import chosen

QUICK_AT_LEAST = 10


def test_the_quick_subset_has_at_least_ten_cells_and_not_all():
    assert QUICK_AT_LEAST <= len(chosen([], quick=True)) < len(CELLS)


def test_cells_are_chosen_by_name_in_the_order_of_the_matrix():
    assert chosen(["everything", "calm"], quick=True) == ["calm", "everything"]
    assert chosen([], quick=False) == list(CELLS)


def test_a_cell_that_is_not_there_is_an_error():
    with pytest.raises(ConfigurationError, match="calmer"):
        chosen(["calm", "calmer"], quick=False)
