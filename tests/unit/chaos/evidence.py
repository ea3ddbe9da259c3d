"""Made-up evidence: one session and what became of it, so that a test changes the one thing it is about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome
from tests.chaos.facts import Case, Change, Delivery, Facts, GameFacts, Row, Snapshot, Told, Wishes

EVENING = datetime(2030, 5, 1, 18, 0, tzinfo=UTC)
ANN, BEN, EVE = 1, 2, 3
TABLE = 100
"""The channel of the session. Somebody's direct messages have a channel of their own, this and their number."""


def at(seconds: float) -> datetime:
    """So many seconds into the evening. The reminder is due at 100, the session starts at 400."""
    return EVENING + timedelta(seconds=seconds)


class Evening:
    """One session with a reminder five minutes before, told at 101; everything can be changed before it is judged."""

    def __init__(self) -> None:
        self.states = [Snapshot(at(0), at(400), GameStatus.SCHEDULED, frozenset({ANN, BEN}))]
        self.offsets: tuple[int, ...] = (5,)
        self.game_id = uuid4()
        self.rows: list[Row] = []
        self.deliveries: list[Delivery] = []
        self.made: list[Told] = []
        self.message_id: int | None = None
        self.shown: dict[int, str] = {}
        self.changes: list[Change] = []
        self.now = at(200)
        self.wishes = Wishes()

    def row(self, *, due: float = 100, starts: float = 400, **fields: Any) -> Row:
        """A row of the schedule, settled as delivered."""
        given = {"kind": NotificationKind.REMINDER, "offset": 5, "outcome": Outcome.DELIVERED} | fields
        made = Row(id=uuid4(), game_id=self.game_id, starts_at=at(starts), due_at=at(due), **given)
        self.rows.append(made)
        return made

    def decide(
        self,
        row: Row,
        *seconds: float,
        state: DeliveryState = DeliveryState.SENT,
        to: int | None = None,
        mentions: Collection[int] = (ANN, BEN),
    ) -> Delivery:
        """Decide at some times to send it, in the channel or to somebody directly."""
        turns, named = tuple(at(second) for second in seconds), frozenset(mentions if to is None else ())
        made = Delivery(uuid4(), row.id, state, at(100), turns, to=to, mentions=named)
        self.deliveries.append(made)
        return made

    def tell(
        self,
        delivery: Delivery,
        second: float,
        *pings: int,
        text: str = "The Sunken Keep",
        channel: int = TABLE,
    ) -> Told:
        """Let Discord make a message of it."""
        to, pinged = delivery.to, frozenset(pings) or delivery.mentions
        place = channel if to is None else channel + to
        made = Told(at(second), len(self.made) + 1, delivery.id, text, pinged, channel_id=place, to=to)
        self.made.append(made)
        return made

    def change(self, second: float, **fields: Any) -> None:
        """Change the session at a time."""
        self.states.append(replace(self.states[-1], at=at(second), **fields))

    def case(self, **fields: Any) -> Case:
        """Everything for the judge."""
        game = GameFacts(
            id=self.game_id,
            title="The Sunken Keep",
            offsets=self.offsets,
            duration=timedelta(hours=3),
            message_id=self.message_id,
            snapshots=tuple(self.states),
        )
        facts = Facts(
            games={game.id: game},
            rows={row.id: row for row in self.rows},
            changes=self.changes,
            deliveries={delivery.id: delivery for delivery in self.deliveries},
            now=self.now,
        )
        given = {"facts": facts, "made": self.made, "shown": self.shown, "wishes": self.wishes}
        return Case(**(given | fields))


def told_once() -> Evening:
    """An evening on which all went well."""
    evening = Evening()
    evening.tell(evening.decide(evening.row(), 100.9), 101)
    return evening


def told_apart(second: float = 101, *, wishes: Wishes | None = None) -> Evening:
    """An evening on which Ann was told in the channel, and Ben was to be told directly and is not told yet."""
    evening = Evening()
    evening.wishes = Wishes(wanted=frozenset({BEN})) if wishes is None else wishes
    evening.tell(evening.decide(evening.row(), second, mentions=[ANN]), second)
    return evening
