"""One reminder that was due, and what came of it: whether the channel was told, and who was missed.

A reminder is one message in the channel that mentions the players, and a direct message to each who asked for that.
What may excuse that somebody was not told differs: the channel's message has one moment at which it was decided, and
who had left by then is rightly not in it; of a direct message that was never made nobody knows when it would have
been decided, so it is owed if there was time for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.models import DeliveryState
from tests.chaos.demand import Demand, Reminder, demands, excused
from tests.chaos.facts import Case, Delivery, GameFacts
from tests.chaos.messages import Message


@dataclass(frozen=True)
class Owed:
    """A reminder that was due.

    `asked` is each time that its game asked for it; `undecided` are the tries about which nobody can know.
    """

    case: Case
    game: GameFacts
    asked: Sequence[Demand]
    messages: Sequence[Message]
    undecided: Sequence[Delivery]

    @property
    def name(self) -> str:
        """Return what a person who looks for it needs."""
        return f"{self.game.title}, due {self.asked[-1].reminder.due_at:%T.%f}"

    @property
    def told(self) -> bool:
        """Return whether the channel was told."""
        return any(message.in_channel for message in self.messages)

    @property
    def in_doubt(self) -> bool:
        """Return whether nobody can know if the channel was told."""
        return any(delivery.to is None for delivery in self.undecided)

    @property
    def excused(self) -> bool:
        """Return whether it was right not to tell it, or not to go on telling it."""
        return all(excused(demand, self.game, healed_at=self.case.healed_at) for demand in self.asked)

    @property
    def lateness(self) -> list[float]:
        """Return the seconds from the due time, or from the fault's end if that was later, of each message."""
        due_at = self.asked[-1].reminder.due_at
        since = max(due_at, self.case.healed_at or due_at)
        return [max(0.0, (message.told.at - since).total_seconds()) for message in self.messages]

    @property
    def missed(self) -> frozenset[int]:
        """Return the players who should have been told and were not, neither in the channel nor directly."""
        due = self.game.as_of(self.asked[-1].reminder.due_at)
        told = [message.told.people for message in self.messages]
        unknown = [delivery.people for delivery in self.undecided]
        untold = (due.players if due else frozenset()).difference(*told, *unknown)
        directly = untold & self.case.wishes.anybody
        deadline = [self.asked[-1].deadline(self.case.healed_at)]
        missed = (untold - directly) & self.game.present(self._decided or deadline)
        return missed if self.excused else missed | (directly & self.game.present(deadline))

    @property
    def _decided(self) -> list[datetime]:
        """Return when it may have been decided whom the channel's message mentions."""
        return [moment for message in self.messages if message.in_channel for moment in message.decided(self.case)]


def owed(messages: Sequence[Message], case: Case) -> Iterator[Owed]:
    """Yield every reminder that was due by the end."""
    told: defaultdict[Reminder | None, list[Message]] = defaultdict(list)
    for message in messages:
        told[message.reminder].append(message)
    undecided = _undecided(case)
    for game in case.facts.games.values():
        asked: defaultdict[Reminder, list[Demand]] = defaultdict(list)
        for demand in demands(game, now=case.facts.now):
            asked[demand.reminder].append(demand)
        for reminder, times in asked.items():
            yield Owed(case, game, times, told[reminder], undecided[reminder])


def _undecided(case: Case) -> defaultdict[Reminder, list[Delivery]]:
    """Return the tries of each reminder about which nobody can know: they excuse only where the fault justifies it."""
    found: defaultdict[Reminder, list[Delivery]] = defaultdict(list)
    for delivery in case.facts.deliveries.values() if case.may_be_unknown else ():
        row = case.facts.rows[delivery.notification_id]
        if delivery.state is DeliveryState.UNKNOWN and row.offset is not None:
            found[Reminder(row.game_id, row.offset, row.starts_at)].append(delivery)
    return found
