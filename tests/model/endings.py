"""What must be left at the end of a telling."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.errors import TransientError
from shared.models import DeliveryState, NotificationKind
from tests.model.ground import STATUS
from tests.model.model import Model
from tests.model.observing import leaves
from tests.model.rules.book import At
from tests.model.run import Run
from tests.model.state import Row


def finish(model: Model, run: Run, row_id: UUID, results: Sequence[BaseException | None]) -> None:
    """Judge what came of a row's copies: everybody was attended to, and they are answered as the row stands.

    Of copies of one row that are told at once, one does it and the others may do nothing.
    """
    row = model.rows.get(row_id)
    for result in results:
        assert result is None or isinstance(result, TransientError), f"{row} ended in {result!r}"
    if row is None or not row.is_open:
        return
    assert row.table != STATUS, f"a change of status was not made: {row}"
    _check_attended(model, run, row)
    given = {"ACK" if result is None else "NACK" for result in results}
    right = any(_is_right(model, answer, row, run) for answer in given)
    assert right, f"{given} of {row}, of which was seen {run.seen}"


def _is_right(model: Model, answer: str, row: Row, run: Run) -> bool:
    """Whether a line by which a copy is answered so was seen, or has left its row as it was."""
    if any(run.owes("too_late", one.id) for one in model.ledger(row.id)):
        return True  # it is another's by now
    lines = [name for name, line in model.page.items() if line.answer == answer]
    return run.saw(row.id, *lines) or any(leaves(model, name, row, run) for name in lines)


def _check_attended(model: Model, run: Run, row: Row) -> None:
    """Nobody who could be told is passed over for another's trouble."""
    at, ledger = At(model, run), model.ledger(row.id)
    if row.what != NotificationKind.ANNOUNCEMENT:
        assert ledger, f"nobody was told, nor is to be: {row}"
        assert not all(one.is_final for one in ledger), f"all is over, and the row is open: {row}"
    for one in ledger:
        if one.is_final or one.id in run.called or run.saw(one.id, "given_back", "absent", "redirected"):
            continue
        unsought = at.is_old(one) and (not at.is_quiet(one) or run.failed or run.asked)
        busy = one.state is DeliveryState.SENDING and (not at.is_free(one) or unsought)
        assert busy or at.has_left(one) or run.saw(row.id, "paused"), f"passed over: {one} of {row}"
