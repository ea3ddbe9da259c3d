"""Every change that the database saw, held against the model.

A change must continue what the model holds, be explained by rules of what the run that made it was doing, come out
equal to what these say, and agree with the lines of docs/states.md that stand for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tests.model.games import observe_game
from tests.model.ground import GAME, LEDGER, Change
from tests.model.model import Model
from tests.model.rules import LEDGER_RULES, SCHEDULE_RULES
from tests.model.rules.book import At, Book
from tests.model.run import Run
from tests.model.state import Delivery, Row, difference

_BY_CHANCE = {"postponed", "unpublished"}
_TURNS = {"taken", "taken_again"}


def observe(model: Model, changes: Sequence[Change], runs: Sequence[Run]) -> None:
    """Explain what was committed by what each process is doing, and let the model hold it.

    Raises:
        AssertionError: it cannot be explained, or docs/states.md says something else.
    """
    for change in changes:
        whose = [run for run in reversed(runs) if run.who == change.who]  # one that is held does nothing
        assert whose, f"{change.who} is doing nothing and changed {change}"
        if change.table == GAME:
            observe_game(model, change, whose)
        elif change.table == LEDGER and change.after is None and _goes_with_its_row(model, change.row_id, whose):
            del model.deliveries[change.row_id]
        else:
            _observe_row(model, change, whose)


def pays(model: Model, line: str, row_id: UUID, run: Run) -> bool:
    """Pay a line that is owed and leaves its row as it is; return whether it does."""
    row: Row | Delivery | None = model.rows.get(row_id) or model.deliveries.get(row_id)
    if row is None or not leaves(model, line, row, run):
        return False
    _enter(model, line, row, row, run)
    return True


def leaves(model: Model, line: str, row: Row | Delivery, run: Run) -> bool:
    """Whether a line fits a row and leaves it as it is."""
    return bool(_book(row).rules[line](row, row, At(model, run)) == row)


def _observe_row(model: Model, change: Change, runs: Sequence[Run]) -> None:
    known: dict[UUID, Any] = model.deliveries if change.table == LEDGER else model.rows
    before, after = _read(change.table, change.before), _read(change.table, change.after)
    assert known.get(change.row_id) == before, f"the model holds {known.get(change.row_id)}, there was {before}"
    run, way = _explained(model, before, after, runs)
    for line, left in way:
        _enter(model, line, before, left, run)
        before = left
    if after is None:
        del known[change.row_id]
        return
    known[change.row_id] = after
    _remember(model, after, by_chance=way[-1][0] in _BY_CHANCE)


def _explained(model: Model, before: Any, after: Any, runs: Sequence[Run]) -> tuple[Run, list[tuple[str, Any]]]:
    for run in runs:
        if (way := _book(after or before).explain(before, after, At(model, run))) is not None:
            return run, way
    raise AssertionError(f"no rule explains {difference(before, after)}, while {runs} at {model.now}")


def _enter(model: Model, line: str, before: Any, after: Any, run: Run) -> None:
    """Hold a change against its line in docs/states.md, and note that it was seen."""
    row = after or before
    assert line in model.page, f"docs/states.md has no line {line}: {difference(before, after)}"
    given = At(model, run).given(row if isinstance(row, Row) else model.rows[row.row_id])
    objection = model.page[line].objection(before, after, given)
    assert objection is None, f"docs/states.md, line {line}: {objection}; {difference(before, after)}"
    model.seen[line] += 1
    run.pay(line, row)
    if line in _TURNS:
        run.take_turn(row.id, row.attempts, fresh=line == "taken")
        model.turned_at[row.row_id].append(model.now)
    if line == "found":
        run.posted.add(row.row_id)


def _remember(model: Model, after: Row | Delivery, *, by_chance: bool) -> None:
    if isinstance(after, Delivery):
        if after.lease_until is not None:
            model.leases[after.row_id].add(after.lease_until)
    elif by_chance:
        model.by_chance.add(after.id)


def _goes_with_its_row(model: Model, delivery_id: UUID, runs: Sequence[Run]) -> bool:
    """Whether a recipient's row is purged, which takes its ledger with it."""
    row_id = model.deliveries[delivery_id].row_id
    return any(run.saw(row_id, "purged") or run.owes("purged", row_id) for run in runs)


def _book(row: Row | Delivery) -> Book[Any]:
    return LEDGER_RULES if isinstance(row, Delivery) else SCHEDULE_RULES


def _read(table: str, told: Mapping[str, Any] | None) -> Row | Delivery | None:
    if told is None:
        return None
    return Delivery.read(told) if table == LEDGER else Row.read(table, told)
