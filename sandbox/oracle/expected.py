"""Expected: which reminders a game's history requires, by when, and what makes one wrong.

The rules are written down a second time here, from the game's history alone. Asking the schedule's rows would let a bug
in the schedule excuse itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from sandbox.oracle.facts import GameHistory, GameState
from shared.models import GameStatus

DELIVERY_DEADLINE = timedelta(seconds=30)
"""After the due time, or after the end of a fault, everything must be delivered within this time."""
STARTED_AFTER = timedelta(seconds=60)
"""A game counts as started this long after its start."""


@dataclass(frozen=True)
class Reminder:
    """The identity of a reminder: this must be delivered once."""

    game_id: UUID
    offset: int
    starts_at: datetime

    @property
    def due_at(self) -> datetime:
        """When it is due."""
        return self.starts_at - timedelta(minutes=self.offset)


@dataclass(frozen=True)
class DueReminder:
    """A reminder that became due. `changed_at` is when its game was moved or cancelled afterwards, if it was."""

    reminder: Reminder
    changed_at: datetime | None

    def deadline(self, fault_ended_at: datetime | None) -> datetime:
        """Return when it must be delivered at the latest."""
        due_at = self.reminder.due_at
        return max(due_at, fault_ended_at or due_at) + DELIVERY_DEADLINE


def due_reminders(game: GameHistory, *, now: datetime, tolerance: timedelta) -> list[DueReminder]:
    """Return what became due until `now`, in the order of due times."""
    found = []
    for state, changed_at in _schedules(game):
        if state.status is GameStatus.CANCELLED:
            continue
        for offset in game.offsets:
            reminder = Reminder(game.id, offset, state.starts_at)
            if state.at + tolerance < reminder.due_at <= (changed_at or now):
                found.append(DueReminder(reminder, changed_at))
    return sorted(found, key=lambda due: due.reminder.due_at)


def may_be_omitted(due: DueReminder, game: GameHistory, *, fault_ended_at: datetime | None) -> bool:
    """Return whether the reminder may be missing.

    It may when the game changed, had started, or had a later reminder due, before the deadline.
    """
    deadline, reminder = due.deadline(fault_ended_at), due.reminder
    changed = due.changed_at is not None and due.changed_at <= deadline
    return changed or reminder.starts_at + STARTED_AFTER <= deadline or _is_overtaken(reminder, game, by=deadline)


def why_wrong(
    reminder: Reminder, recipients: frozenset[int], game: GameHistory, *, decided_at: datetime, tolerance: timedelta
) -> str | None:
    """Return what was wrong about sending a reminder to these people at this moment, None if it was right."""
    state = game.state_at(decided_at)
    if reminder.offset not in game.offsets or decided_at + tolerance < reminder.due_at:
        return "it was not due"
    if state is None or state.status is GameStatus.CANCELLED:
        return "the game was cancelled"
    if state.starts_at != reminder.starts_at:
        return "the game had been moved"
    if decided_at >= reminder.starts_at + STARTED_AFTER + tolerance:
        return "the game had started"
    if _is_overtaken(reminder, game, by=decided_at - tolerance):
        return "a later reminder was due"
    if strangers := recipients - game.people_at(decided_at):
        return f"{len(strangers)} recipients were neither players any more nor the host"
    return None


def _is_overtaken(reminder: Reminder, game: GameHistory, *, by: datetime) -> bool:
    due_times = [Reminder(game.id, offset, reminder.starts_at).due_at for offset in game.offsets]
    return any(reminder.due_at < due_at <= by for due_at in due_times)


def _schedules(game: GameHistory) -> Iterator[tuple[GameState, datetime | None]]:
    """Yield each state in which the game's time changed or it was cancelled, with the time of the next one."""
    changes = list(game.states[:1])
    changes += [after for before, after in pairwise(game.states) if _schedule(before) != _schedule(after)]
    ends = [state.at for state in changes[1:]]
    yield from zip(changes, [*ends, None], strict=True) if changes else ()


def _schedule(state: GameState) -> tuple[datetime, bool]:
    return state.starts_at, state.status is GameStatus.CANCELLED
