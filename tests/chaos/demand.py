"""Which reminders a game's history demanded, and by when each had to be told.

The rules are written down here a second time, from the game's history alone: asking the schedule's rows what they are
for would let a bug of the schedule excuse itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from shared.models import GameStatus
from tests.chaos.facts import GameFacts, Snapshot

PATIENCE = timedelta(seconds=30)
"""How long after the end of a fault, or after its due time, everything must be told."""
BEGUN = timedelta(seconds=60)
"""How long after its start a session counts as begun."""
_INSTANT = timedelta(milliseconds=100)
"""Between reading the clock for a decision and the moment by which it is judged."""


@dataclass(frozen=True)
class Reminder:
    """One thing to tell once: the identity of a reminder."""

    game_id: UUID
    offset: int
    starts_at: datetime

    @property
    def due_at(self) -> datetime:
        """When it is due."""
        return self.starts_at - timedelta(minutes=self.offset)


@dataclass(frozen=True)
class Demand:
    """A reminder that was due while its game stood so; `until` is when the game was changed, if it was."""

    reminder: Reminder
    until: datetime | None

    def deadline(self, healed_at: datetime | None) -> datetime:
        """Return by when it had to be told."""
        due_at = self.reminder.due_at
        return (due_at if healed_at is None else max(due_at, healed_at)) + PATIENCE


def demands(game: GameFacts, *, now: datetime) -> list[Demand]:
    """Return what had become due by `now`, in the order of due times."""
    found = []
    for state, until in _periods(game):
        if state.status is GameStatus.CANCELLED:
            continue
        for offset in game.offsets:
            reminder = Reminder(game.id, offset, state.starts_at)
            if state.at + _INSTANT < reminder.due_at <= (until or now):
                found.append(Demand(reminder, until))
    return sorted(found, key=lambda demand: demand.reminder.due_at)


def excused(demand: Demand, game: GameFacts, *, healed_at: datetime | None) -> bool:
    """Return whether it was right not to tell: the game was changed, had begun, or a later reminder was due too,
    before there was time."""
    deadline, reminder = demand.deadline(healed_at), demand.reminder
    changed = demand.until is not None and demand.until <= deadline
    return changed or reminder.starts_at + BEGUN <= deadline or _overtaken(reminder, game, by=deadline)


def wrong(reminder: Reminder, told: frozenset[int], game: GameFacts, *, decided_at: datetime) -> str | None:
    """Return what was wrong about telling a reminder to these players, by the game as it was when that was decided."""
    state = game.as_of(decided_at)
    if reminder.offset not in game.offsets or decided_at + _INSTANT < reminder.due_at:
        return "it was not due"
    if state is None or state.status is GameStatus.CANCELLED:
        return "the session was cancelled"
    if state.starts_at != reminder.starts_at:
        return "the session had been moved"
    if decided_at >= reminder.starts_at + BEGUN + _INSTANT:
        return "the session had begun"
    if _overtaken(reminder, game, by=decided_at - _INSTANT):
        return "a later reminder was due"
    if strangers := told - state.players:
        return f"{len(strangers)} players were told who had left"
    return None


def _overtaken(reminder: Reminder, game: GameFacts, *, by: datetime) -> bool:
    due_times = [Reminder(game.id, offset, reminder.starts_at).due_at for offset in game.offsets]
    return any(reminder.due_at < due_at <= by for due_at in due_times)


def _periods(game: GameFacts) -> Iterator[tuple[Snapshot, datetime | None]]:
    """Yield the states between which the game's time or its being cancelled changed, each with its end."""
    turns = [game.snapshots[0]] if game.snapshots else []
    for before, after in pairwise(game.snapshots):
        if _asks(before) != _asks(after):
            turns.append(after)
    for number, state in enumerate(turns):
        yield state, turns[number + 1].at if number + 1 < len(turns) else None


def _asks(state: Snapshot) -> tuple[datetime, bool]:
    return state.starts_at, state.status is GameStatus.CANCELLED
