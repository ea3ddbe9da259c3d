"""The messages that Discord made, each with what its nonce claims.

The nonce only says which row a message claims to be. Whether it may be told, to whom, and how often, follows from the
games' history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.models import NotificationKind
from tests.chaos.demand import Reminder
from tests.chaos.facts import Case, Delivery, GameFacts, Row, Told
from tests.chaos.verdict import Verdict


@dataclass(frozen=True)
class Message:
    """A message with what its nonce claims."""

    told: Told
    delivery: Delivery
    row: Row
    game: GameFacts

    @property
    def reminder(self) -> Reminder | None:
        """Return which reminder it claims to be, if one."""
        row = self.row
        return None if row.offset is None else Reminder(row.game_id, row.offset, row.starts_at)

    @property
    def in_channel(self) -> bool:
        """Return whether everyone at the table can read it."""
        return self.told.to is None

    @property
    def name(self) -> str:
        """Return what a person who looks for it needs."""
        where = "" if self.in_channel else f" to {self.told.to}"
        return f"{self.row.kind} of {self.game.title}{where} at {self.told.at:%T.%f}"

    def decided(self, case: Case) -> Sequence[datetime]:
        """Return when it may have been decided: by the latest turn before it, or by any where requests can arrive
        late."""
        turns = [turn for turn in self.delivery.turns if turn <= self.told.at]
        return turns if case.late_arrivals else turns[-1:]

    def said_once(self, case: Case) -> set[object]:
        """Return all that it says and that may be said once: in the channel, and to each person wherever.

        A channel has one message of its own of each thing, for no roster here needs two, and one more for each player
        to whom Discord delivers no direct messages.
        """
        what = self._thing
        said: set[object] = {self.delivery.id, *((what, person) for person in self.told.people)}
        return said | {(what, "channel")} if self.in_channel and not self._stands_in(case) else said

    def _stands_in(self, case: Case) -> bool:
        """Return whether it is instead of a direct message that Discord refused; it may name who joined meanwhile."""
        due = self.game.as_of(self.row.due_at)
        others = self.told.pings - case.wishes.closed
        return bool(self.told.pings & case.wishes.closed) and not (due and others & due.players)

    @property
    def _thing(self) -> object:
        """Return what it tells: a reminder by its identity, the announcement of a game, or a notice by its row."""
        announces = self.row.kind is NotificationKind.ANNOUNCEMENT
        return self.reminder or ((self.row.game_id, self.row.kind) if announces else self.row.id)


def understood(case: Case, verdict: Verdict) -> Iterator[Message]:
    """Yield the messages, oldest first; one that nothing asked for is noted."""
    facts = case.facts
    for told in case.made:
        delivery = facts.deliveries.get(told.delivery_id) if told.delivery_id else None
        row = facts.rows.get(delivery.notification_id) if delivery else None
        if delivery is None or row is None:
            verdict.note("doubled", f"nothing asked for {told.text[:80]!r}")
            continue
        yield Message(told, delivery, row, facts.games[row.game_id])
