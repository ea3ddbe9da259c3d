"""docs/states.md, the code and the model are the same thing three times."""

from __future__ import annotations

import pytest

from tests.model import table
from tests.model.rules import LEDGER_RULES, SCHEDULE_RULES
from tests.model.scenarios import SCENARIOS
from tests.model.world import World

PAGE = table.read(table.PAGE.read_text())


@pytest.mark.parametrize(
    ("name", "rules"), [(table.SCHEDULE, SCHEDULE_RULES), (table.LEDGER, LEDGER_RULES)], ids=["schedule", "ledger"]
)
def test_each_line_of_a_table_has_a_rule_and_each_rule_a_line(name: str, rules: object) -> None:
    lines = {line.name for line in PAGE.values() if line.table == name}
    assert lines == set(rules.rules)  # type: ignore[attr-defined]  # a book of either table


def test_each_line_has_a_run_of_its_own() -> None:
    assert set(PAGE) == set(SCENARIOS)


@pytest.mark.parametrize("line", sorted(PAGE))
async def test_a_line_is_what_the_code_and_the_model_do(line: str, world: World) -> None:
    await SCENARIOS[line](world)
    assert world.model.seen[line], f"{SCENARIOS[line].__name__} showed {sorted(world.model.seen)}"
