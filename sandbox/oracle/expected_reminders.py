"""One reminder that was due, and its result: whether it was delivered, and which players were missed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sandbox.oracle.expected import DueReminder, Reminder, due_reminders, may_be_omitted
from sandbox.oracle.facts import DeliveryRow, Evidence, GameHistory
from sandbox.oracle.observed import ClaimedMessage
from shared.models import DeliveryState


@dataclass(frozen=True)
class ExpectedReminder:
    """A reminder that was due, and the messages that claim to be it.

    It is one message in the channel that mentions the players, and a direct message to each who asked for one. The
    channel's message has one moment at which it was decided, and players who had left by then are correctly omitted.
    For a direct message that was never sent there is no decision time, so it is required if there was time to send it.

    `due` is each time that the game required it; `undecidable` are the attempts with an unknown result.
    """

    evidence: Evidence
    game: GameHistory
    due: Sequence[DueReminder]
    messages: Sequence[ClaimedMessage]
    undecidable: Sequence[DeliveryRow]

    @property
    def name(self) -> str:
        """The reminder as a person would look for it."""
        return f"{self.game.title}, due {self.due[-1].reminder.due_at:%T.%f}"

    @property
    def explained(self) -> str:
        """The reminder and what the schedule says became of it."""
        reminder = self.due[-1].reminder
        rows = self.evidence.facts.notifications.values()
        found = [row for row in rows if (row.game_id, row.offset, row.starts_at) == _identity(reminder)]
        what = ", ".join(f"{row.outcome}: {row.detail}" for row in found) or "there is no row"
        return f"{self.name} ({what})"

    @property
    def is_delivered(self) -> bool:
        """Whether the channel got its message."""
        return any(message.in_channel for message in self.messages)

    @property
    def is_undecidable(self) -> bool:
        """Whether it is unknown if the channel got its message."""
        return any(delivery.user_id is None for delivery in self.undecidable)

    @property
    def is_excused(self) -> bool:
        """Whether it was correct not to send it, or to stop sending it."""
        ended_at = self.evidence.fault_ended_at
        return all(may_be_omitted(due, self.game, fault_ended_at=ended_at) for due in self.due)

    @property
    def latency(self) -> list[float]:
        """Seconds from the due time, or from the end of the fault if that was later, of each message."""
        due_at = self.due[-1].reminder.due_at
        since = max(due_at, self.evidence.fault_ended_at or due_at)
        return [max(0.0, (message.message.at - since).total_seconds()) for message in self.messages]

    @property
    def missed_people(self) -> frozenset[int]:
        """The players, or the host, who should have been notified and were not, neither in the channel nor directly."""
        excused = self.evidence.preferences.reminders_off | self.evidence.lost.people
        due = self.game.people_at(self.due[-1].reminder.due_at) - excused
        notified = [message.message.recipients for message in self.messages]
        unknown = [delivery.recipients for delivery in self.undecidable]
        missing = due.difference(*notified, *unknown)
        directly = missing & self.evidence.preferences.possible
        deadline = [self.due[-1].deadline(self.evidence.fault_ended_at)]
        missed = (missing - directly) & self.game.people_at_all(self._channel_decisions or deadline)
        return missed if self.is_excused else missed | (directly & self.game.people_at_all(deadline))

    @property
    def _channel_decisions(self) -> list[datetime]:
        """When it may have been decided whom the channel's message mentions."""
        in_channel = (message for message in self.messages if message.in_channel)
        return [decision for message in in_channel for decision in message.decision_times(self.evidence)]


def expected_reminders(messages: Sequence[ClaimedMessage], evidence: Evidence) -> Iterator[ExpectedReminder]:
    """Yield every reminder that was due by the end, with its result."""
    claimed: defaultdict[Reminder | None, list[ClaimedMessage]] = defaultdict(list)
    for message in messages:
        claimed[message.reminder].append(message)
    undecidable, facts = _undecidable_deliveries(evidence), evidence.facts
    for game in facts.games.values():
        if game.id in evidence.lost.games:
            continue
        times: defaultdict[Reminder, list[DueReminder]] = defaultdict(list)
        for due in due_reminders(game, now=facts.now, tolerance=evidence.clock_tolerance):
            times[due.reminder].append(due)
        for reminder, due_times in times.items():
            yield ExpectedReminder(evidence, game, due_times, claimed[reminder], undecidable[reminder])


def _identity(reminder: Reminder) -> tuple[UUID, int, datetime]:
    return reminder.game_id, reminder.offset, reminder.starts_at


def _undecidable_deliveries(evidence: Evidence) -> defaultdict[Reminder, list[DeliveryRow]]:
    """Return the attempts of each reminder with an unknown result; they excuse only where the fault justifies it."""
    found: defaultdict[Reminder, list[DeliveryRow]] = defaultdict(list)
    for delivery in evidence.facts.deliveries.values() if evidence.unknown_allowed else ():
        row = evidence.facts.notifications[delivery.notification_id]
        if delivery.state is DeliveryState.UNKNOWN and row.offset is not None:
            found[Reminder(row.game_id, row.offset, row.starts_at)].append(delivery)
    return found
