"""The evidence as plain values: no database and no Discord, so that a test can make up any evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome, Slot

CLOCK_TOLERANCE = timedelta(milliseconds=100)


@dataclass(frozen=True)
class GameState:
    """A game from one moment of the database's clock on.

    Attributes:
        waiting: those on the waitlist, first come, first served.
        answered: those without a seat who said that they may come or cannot.
        chosen: the slot of each player who has one, and the slot for which each of those waiting waits.
        offers: until when each player can take the seat that they are offered.
    """

    at: datetime
    starts_at: datetime
    status: GameStatus
    players: frozenset[int]
    waiting: tuple[int, ...] = ()
    answered: frozenset[int] = frozenset()
    capacity: int | None = None
    slots: tuple[Slot, ...] = ()
    chosen: Mapping[int, str] = field(default_factory=dict)
    offers: Mapping[int, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class GameHistory:
    """A game with all its states, oldest first. `offsets` are the minutes of its reminders before the start."""

    id: UUID
    title: str
    host_id: int
    offsets: tuple[int, ...]
    duration: timedelta
    message_id: int | None
    states: tuple[GameState, ...]
    series_id: UUID | None = None
    occurrence: datetime | None = None
    """Which date of its series it is, as a local time."""
    interval: timedelta = timedelta(days=1)
    """How long after each date of its series the next one is."""
    minimum_players: int | None = None
    minimum_minutes: int | None = None
    """How long before the start the host is asked whether to cancel, if there are fewer players."""

    @property
    def final(self) -> GameState:
        """The last state."""
        return self.states[-1]

    def state_at(self, moment: datetime) -> GameState | None:
        """Return the state at a moment, None before the game existed."""
        return next((state for state in reversed(self.states) if state.at <= moment), None)

    def people_at(self, moment: datetime) -> frozenset[int]:
        """Return the players at a moment, and the host: who must be notified."""
        state = self.state_at(moment)
        return state.players | {self.host_id} if state else frozenset()

    def people_at_all(self, moments: Sequence[datetime]) -> frozenset[int]:
        """Return the people who were in the game at every one of these moments."""
        return frozenset.intersection(*(self.people_at(moment) for moment in moments))


@dataclass(frozen=True)
class NotificationRow:
    """A row of the notification schedule."""

    id: UUID
    game_id: UUID
    kind: NotificationKind
    offset: int | None
    starts_at: datetime
    due_at: datetime
    outcome: Outcome | None
    detail: str | None = None
    user_ids: tuple[int, ...] = ()
    user_id: int | None = None
    created_at: datetime | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True)
class TransitionRow:
    """A row of the status schedule."""

    game_id: UUID
    target: GameStatus
    due_at: datetime
    outcome: Outcome | None


@dataclass(frozen=True)
class DeliveryRow:
    """A row of the delivery ledger.

    Attributes:
        attempts: when each attempt to send was committed; empty when no history was recorded.
        user_id: the recipient of a direct message, None for a channel.
        mentions: the players a channel message names.
        message_id: the message that the ledger believes Discord made.
    """

    id: UUID
    notification_id: UUID
    state: DeliveryState
    attempts: tuple[datetime, ...]
    user_id: int | None = None
    mentions: frozenset[int] = frozenset()
    message_id: int | None = None

    @property
    def recipients(self) -> frozenset[int]:
        """The people this delivery is for."""
        return self.mentions if self.user_id is None else frozenset({self.user_id})


@dataclass(frozen=True)
class ObservedMessage:
    """A message that Discord created for the bot.

    `delivery_id` comes from the nonce, None if the nonce is not one of ours. `user_id` is the recipient of a direct
    message, None in a channel.
    """

    at: datetime
    message_id: int
    delivery_id: UUID | None
    text: str
    mentioned: frozenset[int]
    channel_id: int
    user_id: int | None = None

    @property
    def recipients(self) -> frozenset[int]:
        """The people it notifies."""
        return self.mentioned if self.user_id is None else frozenset({self.user_id})


@dataclass(frozen=True)
class DmPreferences:
    """The players who want direct messages, or no reminders.

    Attributes:
        wanted: want them at the beginning.
        changing: change their preference during the run, in either direction.
        closed: asked for them, but Discord delivers none.
        unopened: no direct-message channel was ever opened with them.
        reminders_off: turned reminders off before the run, and still get everything else.
    """

    wanted: frozenset[int] = frozenset()
    changing: frozenset[int] = frozenset()
    closed: frozenset[int] = frozenset()
    unopened: frozenset[int] = frozenset()
    reminders_off: frozenset[int] = frozenset()

    @property
    def possible(self) -> frozenset[int]:
        """The players who may get a direct message."""
        return self.wanted | self.changing

    @property
    def certain(self) -> frozenset[int]:
        """The players who must get a direct message and no mention in the channel."""
        return self.wanted - self.changing - self.closed


@dataclass(frozen=True)
class ReminderWishes:
    """The reminders for themselves alone that players asked for.

    Attributes:
        extra: how many minutes before each game a player is reminded.
        since: from when on they are.
        snoozed: when a player snoozed the reminder of a game, and when they are reminded again.
    """

    extra: Mapping[int, int] = field(default_factory=dict)
    since: datetime | None = None
    snoozed: Mapping[tuple[UUID, int], tuple[datetime, datetime]] = field(default_factory=dict)


@dataclass(frozen=True)
class DatabaseFacts:
    """Everything the database knows.

    `now` is its clock when the facts were read; `recorded` says whether the history of the games and attempts was kept.
    """

    games: Mapping[UUID, GameHistory]
    notifications: Mapping[UUID, NotificationRow]
    transitions: Sequence[TransitionRow]
    deliveries: Mapping[UUID, DeliveryRow]
    now: datetime
    recorded: bool = True
    wants_dm: frozenset[int] = frozenset()
    """Who wants direct messages at the end."""


@dataclass(frozen=True)
class LostCommits:
    """What only a primary knew that a fail-over lost.

    Attributes:
        games: those that changed there.
        deliveries: those of rows that were lost.
        only_there: deliveries of other rows, which the new primary does not have.
        people: those who chose there, or on the new primary since, between direct messages and mentions.
    """

    games: frozenset[UUID] = frozenset()
    deliveries: frozenset[UUID] = frozenset()
    only_there: frozenset[UUID] = frozenset()
    people: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Evidence:
    """Everything the oracle decides by.

    Attributes:
        messages: the messages that Discord created, oldest first.
        final_text: the text of each message at the end.
        wishes: the reminders that players asked for.
        affected: the channels and people whose reminders the fault may delay; None for everyone.
        fault_ended_at: when the fault ended; None when there was none.
        late_arrivals: a request may arrive long after it was sent, so a message may belong to an earlier attempt.
        unknown_allowed: the fault can make the result of an attempt undecidable.
        lost: what a fail-over lost.
        clock_tolerance: the error between the clock a decision reads and the clock it is compared by.
    """

    facts: DatabaseFacts
    messages: Sequence[ObservedMessage]
    final_text: Mapping[int, str] = field(default_factory=dict)
    preferences: DmPreferences = field(default_factory=DmPreferences)
    wishes: ReminderWishes = field(default_factory=ReminderWishes)
    affected: frozenset[int] | None = None
    fault_ended_at: datetime | None = None
    late_arrivals: bool = False
    unknown_allowed: bool = False
    lost: LostCommits = field(default_factory=LostCommits)
    clock_tolerance: timedelta = CLOCK_TOLERANCE
