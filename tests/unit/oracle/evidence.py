"""Made-up evidence: one game and what became of it, so that a test changes the one thing it is about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sandbox.oracle.facts import (
    DatabaseFacts,
    DeliveryRow,
    DmPreferences,
    Evidence,
    GameHistory,
    GameState,
    NotificationRow,
    ObservedMessage,
    TransitionRow,
)
from sandbox.oracle.verdict import VIOLATIONS, Verdict
from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome

EVENING = datetime(2030, 5, 1, 18, 0, tzinfo=UTC)
ANN, BEN, EVE, CAT = 1, 2, 3, 4
TABLE = 100
"""The channel of the game. A player's direct messages have the channel of this number plus their own."""


def at(seconds: float) -> datetime:
    """Return a moment of the evening. The reminder is due at 100, the game starts at 400."""
    return EVENING + timedelta(seconds=seconds)


def found(verdict: Verdict) -> dict[str, int]:
    """Return the number of each violation that was found."""
    return {kind: len(names) for kind in VIOLATIONS if (names := getattr(verdict, kind))}


class Evening:
    """One game with a reminder five minutes before its start; everything can be changed before it is compared."""

    def __init__(self) -> None:
        self.states = [GameState(at(0), at(400), GameStatus.SCHEDULED, frozenset({ANN, BEN}))]
        self.host_id = ANN
        self.offsets: tuple[int, ...] = (5,)
        self.minimum_players: int | None = None
        self.minimum_minutes: int | None = None
        self.game_id = uuid4()
        self.rows: list[NotificationRow] = []
        self.deliveries: list[DeliveryRow] = []
        self.messages: list[ObservedMessage] = []
        self.message_id: int | None = None
        self.final_text: dict[int, str] = {}
        self.transitions: list[TransitionRow] = []
        self.now = at(200)
        self.preferences = DmPreferences()
        self.wants_dm: frozenset[int] = frozenset()

    def row(self, *, due: float = 100, starts: float = 400, **fields: Any) -> NotificationRow:
        """Add a row of the schedule, settled as delivered."""
        given = {"kind": NotificationKind.REMINDER, "offset": 5, "outcome": Outcome.DELIVERED} | fields
        row = NotificationRow(id=uuid4(), game_id=self.game_id, starts_at=at(starts), due_at=at(due), **given)
        self.rows.append(row)
        return row

    def attempt(
        self,
        row: NotificationRow,
        *seconds: float,
        state: DeliveryState = DeliveryState.SENT,
        to: int | None = None,
        mentions: Collection[int] = (ANN, BEN),
    ) -> DeliveryRow:
        """Add a row of the ledger with attempts at some times, for the channel or for one player."""
        attempts, mentioned = tuple(at(second) for second in seconds), frozenset(mentions if to is None else ())
        delivery = DeliveryRow(uuid4(), row.id, state, attempts, user_id=to, mentions=mentioned)
        self.deliveries.append(delivery)
        return delivery

    def accept(
        self,
        delivery: DeliveryRow,
        second: float,
        *mentions: int,
        text: str = "The Sunken Keep",
        channel: int = TABLE,
    ) -> ObservedMessage:
        """Let Discord create a message of a delivery; the ledger knows the first one."""
        to, mentioned = delivery.user_id, frozenset(mentions) or delivery.mentions
        number, place = len(self.messages) + 1, channel if to is None else channel + to
        message = ObservedMessage(at(second), number, delivery.id, text, mentioned, channel_id=place, user_id=to)
        self.messages.append(message)
        index = [row.id for row in self.deliveries].index(delivery.id)
        if self.deliveries[index].message_id is None:
            self.deliveries[index] = replace(self.deliveries[index], message_id=number)
        return message

    def change(self, second: float, **fields: Any) -> None:
        """Change the game at some time."""
        self.states.append(replace(self.states[-1], at=at(second), **fields))

    def evidence(self, *, recorded: bool = True, **fields: Any) -> Evidence:
        """Return everything for the oracle."""
        game = GameHistory(
            id=self.game_id,
            title="The Sunken Keep",
            host_id=self.host_id,
            offsets=self.offsets,
            duration=timedelta(hours=3),
            message_id=self.message_id,
            states=tuple(self.states),
            minimum_players=self.minimum_players,
            minimum_minutes=self.minimum_minutes,
        )
        facts = DatabaseFacts(
            games={game.id: game},
            notifications={row.id: row for row in self.rows},
            transitions=self.transitions,
            deliveries={delivery.id: delivery for delivery in self.deliveries},
            now=self.now,
            recorded=recorded,
            wants_dm=self.wants_dm,
        )
        given = {"messages": self.messages, "final_text": self.final_text, "preferences": self.preferences}
        return Evidence(facts, **(given | fields))


def delivered_once() -> Evening:
    """Return an evening on which all went well."""
    evening = Evening()
    evening.accept(evening.attempt(evening.row(), 100.9), 101)
    return evening


def delivered_in_channel_only(second: float = 101, *, preferences: DmPreferences | None = None) -> Evening:
    """Return an evening on which Ann was mentioned in the channel, and Ben's direct message was not sent yet."""
    evening = Evening()
    evening.preferences = DmPreferences(wanted=frozenset({BEN})) if preferences is None else preferences
    evening.accept(evening.attempt(evening.row(), second, mentions=[ANN]), second)
    return evening


def announce(evening: Evening, second: float) -> int:
    """Let Discord create an announcement; return its message id."""
    row = evening.row(kind=NotificationKind.ANNOUNCEMENT, offset=None, due=second)
    return evening.accept(evening.attempt(row, second), second).message_id


def hosted_by_eve() -> Evening:
    """Return an evening on which Ann and Ben play, and Eve, who hosts, is reminded with them."""
    evening = Evening()
    evening.host_id = EVE
    evening.accept(evening.attempt(evening.row(), 100.9, mentions=[ANN, BEN, EVE]), 101)
    return evening


def shown(evening: Evening) -> Evening:
    """Let the announcement show the game as it is at the end."""
    message_id = announce(evening, 110)
    state = evening.states[-1]
    players = " ".join(f"<@{player}>" for player in state.players)
    parts = [f"<t:{int(state.starts_at.timestamp())}:F> {_status(state.status)} {players}"]
    parts.append("" if state.slots else f"Players {len(state.players)}")
    for slot in state.slots:
        parts.append(f"{slot.name} {sum(state.chosen.get(player) == slot.name for player in state.players)}")
    parts += [f"Waitlist {len(state.waiting)}", *(f"<@{player}>" for player in state.waiting)] if state.waiting else []
    evening.final_text[message_id] = " ".join(parts)
    evening.message_id = message_id
    return evening


def _status(status: GameStatus) -> str:
    return status.replace("_", " ").capitalize()


def notify(evening: Evening, kind: NotificationKind, second: float, *mentions: int, text: str = "") -> None:
    """Let Discord create a notice in the channel."""
    starts = (evening.states[-1].starts_at - at(0)).total_seconds()
    row = evening.row(kind=kind, offset=None, due=second, starts=starts)
    said = f"The Sunken Keep {text}"
    evening.accept(evening.attempt(row, second, mentions=mentions), second, *mentions, text=said)
