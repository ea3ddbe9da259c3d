"""Counting the statements of an idle installation."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from benchmarks import idle
from controllers.loops.sources import NOTIFICATIONS
from sandbox.percentiles import milliseconds
from shared import sql


class Counting:
    """Has the counts of pg_stat_statements."""

    def __init__(self, *counts: tuple[str, int]) -> None:
        self._counts = counts

    async def fetch(self, _statement: str, _database: str) -> Any:
        return self._counts


def as_postgres_keeps_it(statement: str) -> str:
    """Number the parameters, then the constants, and keep the spaces."""
    places = iter(range(1, 1_000))
    numbered = re.sub(r"(?<!:):\w+", lambda _: f"${next(places)}", statement)
    constant = r"'[^']*'|(?<!\$)\b\d+\b|\b(?:true|false|NULL)\b|(?<=extract\()epoch"
    return re.sub(constant, lambda _: f"${next(places)}", numbered)


@pytest.mark.parametrize("subject", sql.subjects())
async def test_our_statements_are_found_by_the_text_that_postgres_keeps(subject: str) -> None:
    for name, statement in sql.load(subject).items():
        connection: Any = Counting((as_postgres_keeps_it(statement.text), 3))
        assert await idle.count_statements(connection, "questbell") == {name: 3}


async def test_other_statements_are_counted_by_their_text() -> None:
    connection: Any = Counting(("SHOW transaction_read_only", 12), ("SHOW  transaction_read_only", 1))
    assert await idle.count_statements(connection, "questbell") == {"SHOW transaction_read_only": 13}


def test_the_queries_of_a_loop_are_those_of_its_table_divided_by_its_queues() -> None:
    loops = len(NOTIFICATIONS.queues)
    counts = Counter(claim_notifications=2 * loops, next_due_notifications=8 * loops, next_due_transitions=4)
    assert idle.loop_queries(counts) == 10.0


def test_the_last_percentile_is_the_largest_value() -> None:
    assert milliseconds([0.003, 0.001, 0.002]) == {"p50": 2.0, "p99": 3.0, "max": 3.0}
