"""One thing that a process does, from its beginning to its end or its death, and what it owes the database."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from uuid import UUID

from shared.models import GameStatus
from tests.model.state import NOBODY, Game, Row


class Doing(enum.Enum):
    """What kinds of things are done."""

    CHANGE = "changing a game"
    DISPATCH = "dispatching"
    RECONCILE = "reconciling dead letters"
    UPKEEP = "looking after the rows"
    TELL = "telling"


@dataclass
class Run:
    """What is under way. A line that is owed must be seen in the database, unless the process dies first."""

    doing: Doing
    who: str
    rows: set[UUID] = field(default_factory=set)
    """The rows whose copies are handled."""
    game: Game | None = None
    """What the game is to be afterwards."""
    owed: list[tuple[str, UUID | Row]] = field(default_factory=list)
    seen: list[tuple[str, UUID]] = field(default_factory=list)
    """The lines that were seen, with the ids of their rows."""
    since: dict[UUID, int] = field(default_factory=dict)
    """The place in each game's history at which the run began."""
    turned: dict[UUID, tuple[GameStatus, GameStatus]] = field(default_factory=dict)
    """The games whose status was changed, with what it was and is."""
    edited: dict[UUID, int] = field(default_factory=dict)
    """The games whose post was edited, with the revision that was shown."""
    deleted: set[UUID] = field(default_factory=set)
    """The games whose post is not there any more."""
    turns: dict[UUID, tuple[int, bool]] = field(default_factory=dict)
    """For each recipient whose turn was taken: the attempt, and whether no earlier try may have been sent."""
    called: set[UUID] = field(default_factory=set)
    """The recipients for whom Discord was asked."""
    messages: dict[UUID, int] = field(default_factory=dict)
    """What Discord said yes with."""
    looked: set[tuple[int, bool]] = field(default_factory=set)
    """The channels that were looked through, and whether that could be done for sure."""
    asked: set[float] = field(default_factory=set)
    """The seconds for which Discord asked."""
    failed: bool = False
    """Whether something failed that says nothing about when it may be tried again."""
    aging: bool = False
    """Whether somebody refused a direct message after a try that may have been sent."""
    posted: set[UUID] = field(default_factory=set)
    """The announcements that were posted, found or edited."""

    def know(self, game: Game) -> None:
        """Take the game that the run has written, whose id was not known before."""
        self.game = game
        self.owed = [(line, replace(row, game_id=game.id) if isinstance(row, Row) else row) for line, row in self.owed]

    def take_turn(self, delivery_id: UUID, attempt: int, *, fresh: bool) -> None:
        """Note that a turn to send was taken."""
        self.turns[delivery_id] = (attempt, fresh)
        self.called.discard(delivery_id)

    def owes(self, line: str, row: UUID | Row) -> bool:
        """Whether a line is owed, for a row that is there or for one that is to be written."""
        return any(name == line and _is(subject, row) for name, subject in self.owed)

    def pay(self, line: str, row: UUID | Row) -> None:
        """Note that a line was seen."""
        self.seen.append((line, row if isinstance(row, UUID) else row.id))
        for debt in self.owed:
            if debt[0] == line and _is(debt[1], row):
                self.owed.remove(debt)
                return

    def saw(self, row_id: UUID, *lines: str) -> bool:
        """Whether one of some lines was seen of a row."""
        return any(name in lines and subject == row_id for name, subject in self.seen)


def _is(subject: UUID | Row, row: UUID | Row) -> bool:
    if isinstance(subject, UUID):
        return subject == (row if isinstance(row, UUID) else row.id)
    return isinstance(row, Row) and replace(row, id=NOBODY) == subject
