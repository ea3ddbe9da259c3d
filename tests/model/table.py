"""docs/states.md, read: each line of its tables as a condition on what was before and what is after.

The cells are few words of a fixed meaning (`_WORDS`), so that the page can be held against the database and against
the model. A page that only people can read would be wrong within a month.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared.models import Outcome
from shared.settings import Timing
from tests.model.discord import PAUSE
from tests.model.state import Delivery, Row

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
SCHEDULE, LEDGER = "schedule", "ledger"
TOGETHER = 0.25
BEGUN_AFTER, BEGUN_INTERVAL = timedelta(seconds=60), timedelta(minutes=5)

Value = Row | Delivery | None


@dataclass(frozen=True)
class Circumstances:
    """What the words of the page refer to, besides the row itself."""

    now: datetime
    timing: Timing
    leases: frozenset[datetime] = frozenset()
    """When the leases of the row's recipients end."""
    asked: frozenset[float] = frozenset()
    """The seconds for which Discord asked."""

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.timing.lease)

    @property
    def young(self) -> timedelta:
        return timedelta(seconds=self.timing.nonce_window)

    def settle(self, row: Row) -> timedelta:
        """How long a published row waits for its outcome."""
        begun = row.starts_at is not None and row.starts_at + BEGUN_AFTER <= self.now
        return max(self.timing.settle_interval, BEGUN_INTERVAL) if begun else self.timing.settle_interval

    def is_backoff(self, delay: timedelta, *, attempts: int) -> bool:
        """Whether a failed row may wait so long: the bound doubles, and chance takes up to a quarter off."""
        bound = min(self.timing.backoff_max, self.timing.backoff_first * 2.0 ** (max(attempts, 1) - 1))
        return 0.75 * bound - _BLUR <= delay.total_seconds() <= bound + _BLUR

    def is_paused(self, moment: datetime | None) -> bool:
        """Whether a moment is within a pause for which Discord asked, by the process's own clock."""
        return moment is not None and timedelta(0) < moment - self.now <= timedelta(seconds=PAUSE + TOGETHER)

    def after(self, moment: datetime | None, seconds: float) -> bool:
        """Whether a moment is so many seconds from now, rounded up; the product carries some as floats."""
        if moment is None:
            return False
        more = (moment - self.now).total_seconds() - seconds
        is_together = moment.timestamp() % TOGETHER == 0
        return -_BLUR <= more < TOGETHER + _BLUR and is_together if seconds else abs(more) <= _BLUR


_BLUR = 0.001
Word = Callable[[str, Any, Any, Circumstances], bool]


def _ends(after: Any, given: Circumstances, delay: timedelta) -> bool:
    waits = [(end + delay - given.now).total_seconds() for end in given.leases]
    return any(given.after(after.attempt_at, max(0.1, wait)) for wait in waits)


_WORDS: dict[str, Word] = {
    "": lambda column, before, after, given: getattr(after, column) == getattr(before, column),
    "0": lambda column, before, after, given: getattr(after, column) == 0,
    "+ 1": lambda column, before, after, given: getattr(after, column) == getattr(before, column) + 1,
    "attempts": lambda column, before, after, given: getattr(after, column) == after.attempts,
    "NULL": lambda column, before, after, given: getattr(after, column) is None,
    "now": lambda column, before, after, given: given.after(getattr(after, column), 0),
    "due": lambda column, before, after, given: getattr(after, column) == max(after.due_at, given.now),
    "now + settle": lambda column, before, after, given: after.attempt_at == given.now + given.settle(after),
    "now + backoff": lambda column, before, after, given: given.is_backoff(
        after.attempt_at - given.now, attempts=after.attempts
    ),
    "now + asked": lambda column, before, after, given: any(
        given.after(after.attempt_at, seconds) for seconds in given.asked
    ),
    "pause": lambda column, before, after, given: given.is_paused(after.attempt_at),
    "now + lease": lambda column, before, after, given: after.lease_until == given.now + given.lease,
    "now + nonce window": lambda column, before, after, given: given.after(after.attempt_at, given.timing.nonce_window),
    "lease": lambda column, before, after, given: _ends(after, given, timedelta(0)),
    "lease + nonce window": lambda column, before, after, given: _ends(after, given, given.young),
}
"""What each word of a column says."""

_ROW_IS: dict[str, Callable[[Row | None], bool]] = {
    "none": lambda row: row is None,
    "open": lambda row: row is not None and row.is_open,
    "superseded": lambda row: row is not None and row.outcome is Outcome.SUPERSEDED,
    "settled": lambda row: row is not None and not row.is_open,
}
_COLUMNS = {
    SCHEDULE: ("attempts", "failed_attempt", "attempt_at"),
    LEDGER: ("attempts", "first_sending_at", "lease_until"),
}


@dataclass(frozen=True)
class Line:
    """One line of the page."""

    name: str
    table: str
    cells: dict[str, str]

    @property
    def answer(self) -> str:
        """What becomes of the copy: ACK, NACK, published, dropped, or nothing that the line says."""
        return self.cells.get("copy", "")

    def objection(self, before: Value, after: Value, given: Circumstances) -> str | None:
        """Return the first cell that a change contradicts."""
        ends = self._wrong_end(before, after)
        if ends is not None or after is None:
            return ends
        for column in _COLUMNS[self.table]:
            if not _WORDS[self.cells[column]](column, before, after, given):
                return f"{column} is {getattr(after, column)}, not {self.cells[column] or 'as it was'!r}"
        return None

    def _wrong_end(self, before: Any, after: Any) -> str | None:
        if self.table == LEDGER:
            states = [("from", before), ("to", after)]
            return next((f"{end}: {it}" for end, it in states if not _is_in(self.cells[end], it)), None)
        if not any(_ROW_IS[word](before) for word in _listed(self.cells["before"])):
            return f"before: {before}"
        expected = _listed(self.cells["outcome"]) or [_outcome(before)]
        return None if _outcome(after) in expected else f"outcome: {_outcome(after)}"


def _outcome(row: Row | None) -> str:
    if row is None:
        return "none"
    return row.outcome.value if row.outcome else "open"


def _is_in(cell: str, delivery: Delivery | None) -> bool:
    return ("none" if delivery is None else delivery.state.value) in _listed(cell)


def _listed(cell: str) -> list[str]:
    return re.findall(r"\w+", cell)


def read(page: str) -> dict[str, Line]:
    """Return the lines of both tables by name."""
    found: dict[str, Line] = {}
    for table, header, rows in _tables(page):
        for row in rows:
            cells = dict(zip(header, row, strict=True))
            name = cells["line"]
            if name in found:
                raise ValueError(f"the page has two lines called {name}")
            found[name] = Line(name, table, cells)
    return found


def _tables(page: str) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    for block in re.findall(r"(?:^\|.*\|\n)+", page, flags=re.MULTILINE):
        header, _, *rows = [
            [cell.strip() for cell in line[1:-1].split("|")] for line in block.replace("`", "").splitlines()
        ]
        if header[0] == "line":
            yield SCHEDULE if "outcome" in header else LEDGER, header, rows
