"""What a judge looks at, as plain values: no database, no Discord, so that a test can make up any evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome


@dataclass(frozen=True)
class Snapshot:
    """A game as it was from a moment of the database's clock on."""

    at: datetime
    starts_at: datetime
    status: GameStatus
    players: frozenset[int]


@dataclass(frozen=True)
class GameFacts:
    """A game with all its states, oldest first."""

    id: UUID
    title: str
    offsets: tuple[int, ...]
    duration: timedelta
    message_id: int | None
    snapshots: tuple[Snapshot, ...]

    @property
    def last(self) -> Snapshot:
        """Return how it ended."""
        return self.snapshots[-1]

    def as_of(self, moment: datetime) -> Snapshot | None:
        """Return how it was at a moment, None before it was made."""
        return next((state for state in reversed(self.snapshots) if state.at <= moment), None)

    def present(self, moments: Sequence[datetime]) -> frozenset[int]:
        """Return who was a player at each of some moments."""
        states = [self.as_of(moment) for moment in moments]
        return frozenset.intersection(*(state.players if state else frozenset() for state in states))


@dataclass(frozen=True)
class Row:
    """A row of the notification schedule."""

    id: UUID
    game_id: UUID
    kind: NotificationKind
    offset: int | None
    starts_at: datetime
    due_at: datetime
    outcome: Outcome | None


@dataclass(frozen=True)
class Change:
    """A row of the status schedule."""

    game_id: UUID
    target: GameStatus
    due_at: datetime
    outcome: Outcome | None


@dataclass(frozen=True)
class Delivery:
    """A row of the ledger, with each moment at which it was decided to send.

    `to` is who is told directly, None for a channel; `mentions` is whom a channel's message names.
    """

    id: UUID
    notification_id: UUID
    state: DeliveryState
    created_at: datetime
    turns: tuple[datetime, ...]
    to: int | None = None
    mentions: frozenset[int] = frozenset()

    @property
    def people(self) -> frozenset[int]:
        """Return whom it is to reach."""
        return self.mentions if self.to is None else frozenset({self.to})


@dataclass(frozen=True)
class Told:
    """A message that Discord made for the bot, or an edit of one.

    `delivery_id` is what its nonce says, None for a nonce that is none of ours; `to` is in whose direct messages it
    stands, None for a channel.
    """

    at: datetime
    message_id: int
    delivery_id: UUID | None
    text: str
    pings: frozenset[int]
    channel_id: int
    to: int | None = None

    @property
    def people(self) -> frozenset[int]:
        """Return whom it reaches: who is pinged or told directly."""
        return self.pings if self.to is None else frozenset({self.to})


@dataclass(frozen=True)
class Wishes:
    """Who wants direct messages.

    Attributes:
        wanted: who wants them at the beginning.
        changing: who changes their mind within the cell, one way or the other.
        closed: to whom Discord delivers none, though they asked for them.
        unopened: with whom no conversation was ever opened.
    """

    wanted: frozenset[int] = frozenset()
    changing: frozenset[int] = frozenset()
    closed: frozenset[int] = frozenset()
    unopened: frozenset[int] = frozenset()

    @property
    def anybody(self) -> frozenset[int]:
        """Return who may be told directly."""
        return self.wanted | self.changing

    @property
    def steady(self) -> frozenset[int]:
        """Return who must be told directly and in no channel."""
        return self.wanted - self.changing - self.closed


@dataclass(frozen=True)
class Facts:
    """Everything that the database knows."""

    games: Mapping[UUID, GameFacts]
    rows: Mapping[UUID, Row]
    changes: Sequence[Change]
    deliveries: Mapping[UUID, Delivery]
    now: datetime


@dataclass(frozen=True)
class Case:
    """A whole cell, for the judge.

    Attributes:
        made: the messages that were made, oldest first.
        shown: the text of each message as it stands at the end.
        wishes: who wants direct messages.
        afflicted: the channels and people that the fault strikes and nobody else; empty when it strikes everyone.
        healed_at: the end of the fault; None when there was none.
        late_arrivals: the fault lets a request arrive long after its time, so that a message may be of an earlier turn
            than the latest.
        may_be_unknown: the fault can leave a try undecidable.
    """

    facts: Facts
    made: Sequence[Told]
    shown: Mapping[int, str] = field(default_factory=dict)
    wishes: Wishes = field(default_factory=Wishes)
    afflicted: frozenset[int] = frozenset()
    healed_at: datetime | None = None
    late_arrivals: bool = False
    may_be_unknown: bool = False
