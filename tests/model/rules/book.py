"""How a change is explained: the rules of one table, and the way through them from what was before to what is after.

A transaction may do several lines at once, as when a batch opens a ledger and takes a turn; so a change is explained
by a short sequence of rules, each of which must fit the state that the one before it left.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from shared.models import RecipientKind
from shared.settings import Timing
from tests.model.run import Run
from tests.model.state import Delivery, Row
from tests.model.table import Circumstances

if TYPE_CHECKING:
    from tests.model.model import Model

T = TypeVar("T", Row, Delivery)


class Gone(enum.Enum):
    """What a row that is deleted becomes."""

    GONE = "gone"


GONE = Gone.GONE
Rule = Callable[[Any, Any, "At"], Any]
Way = list[tuple[str, Any]]
"""Rules in the order in which they lead from one state to another, each with what it leaves."""
_LONGEST = 3


@dataclass(frozen=True)
class At:
    """The moment at which a rule is asked: by whom, and with what else in the database."""

    model: Model
    run: Run

    @property
    def now(self) -> datetime:
        return self.model.now

    @property
    def timing(self) -> Timing:
        return self.model.timing

    @property
    def young(self) -> timedelta:
        return timedelta(seconds=self.timing.nonce_window)

    @property
    def lease_end(self) -> datetime:
        """When a lease that is taken now ends."""
        return self.now + timedelta(seconds=self.timing.lease)

    def given(self, row: Row) -> Circumstances:
        """What the words of the page refer to at this moment."""
        return Circumstances(self.now, self.timing, frozenset(self.model.leases[row.id]), frozenset(self.run.asked))

    def is_old(self, delivery: Delivery) -> bool:
        """Whether Discord may have forgotten the nonce of a try."""
        return delivery.first_sending_at is not None and delivery.first_sending_at + self.young <= self.now

    def is_free(self, delivery: Delivery) -> bool:
        """Whether nobody holds the lease of a try."""
        return delivery.lease_until is not None and delivery.lease_until <= self.now

    def is_quiet(self, delivery: Delivery) -> bool:
        """Whether the last try ended so long ago that it can no longer appear."""
        return delivery.lease_until is not None and delivery.lease_until + self.young <= self.now

    def has_left(self, delivery: Delivery) -> bool:
        """Whether it is for nobody who is on the roster: to a player, or a further message in the channel."""
        kind, user = delivery.recipient
        players = set(self.model.games[self.model.rows[delivery.row_id].game_id].players)
        if kind == RecipientKind.USER:
            return user not in players
        listed = {user for one in self.model.ledger(delivery.row_id) for user in (one.recipient[1], *one.mentions)}
        return delivery.chunk > 0 and not (players & set(delivery.mentions) or players - listed)


class Book(Generic[T]):
    """The rules of one table, by the names of its lines."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}

    def rule(self, *, creates: bool = False) -> Callable[[Rule], Rule]:
        """Enter a rule, for rows that are there or for new ones."""

        def entered(rule: Rule) -> Rule:
            self.rules[rule.__name__] = lambda row, seen, at: rule(row, seen, at) if (row is None) == creates else None
            return rule

        return entered

    def owed(self, rule: Rule) -> Rule:
        """Enter a rule that fits exactly when its line is owed."""
        name = rule.__name__
        self.rules[name] = lambda row, seen, at: (
            rule(row, seen, at) if row is not None and at.run.owes(name, row.id) else None
        )
        return rule

    def explain(self, before: T | None, after: T | None, at: At) -> Way | None:
        """Return the shortest sequence of rules that leads from one to the other, each with what it leaves."""
        for steps in range(1, _LONGEST + 1):
            if (way := self._way(before, after, at, steps)) is not None:
                return way
        return None

    def _way(self, before: T | None, after: T | None, at: At, steps: int) -> Way | None:
        for name, rule in self.rules.items():
            left = rule(before, after, at)
            if left is None or (steps > 1 and left in (before, GONE)):
                continue
            if steps == 1 and left == (GONE if after is None else after):
                return [(name, after)]
            rest: Way | None = self._way(left, after, at, steps - 1) if steps > 1 else None
            if rest is not None:
                rest.insert(0, (name, left))
                return rest
        return None
