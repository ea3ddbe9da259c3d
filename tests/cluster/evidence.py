"""The oracle's evidence from outside a cluster: reminders by title, and the records of the sandbox Discord.

The database is not read. A message that names a reminder's game is that reminder, so a second one counts as doubled
whatever its nonce is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sandbox.oracle.compare import compare_deliveries
from sandbox.oracle.facts import (
    DatabaseFacts,
    DeliveryRow,
    Evidence,
    GameHistory,
    GameState,
    NotificationRow,
    ObservedMessage,
)
from sandbox.oracle.verdict import Verdict
from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome

Records = Sequence[dict[str, Any]]
"""Records of the sandbox's control API, in any order."""

OFFSET = timedelta(minutes=30)
"""From the reminder to the start of its game, as `inside/create_games.py` has it."""
CLOCK_TOLERANCE = timedelta(milliseconds=50)
"""PostgreSQL's clock decides what is due, the sandbox's clock says when it was accepted."""
_CREATED = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Reminder:
    """The one reminder of a game, known by the game's title; `due_at` is in Unix seconds."""

    title: str
    due_at: float


def compare_reminders(reminders: Iterable[Reminder], records: Records) -> Verdict:
    """Return the verdict on some reminders, all of which count as due. The rows of the ledger are made up."""
    created = [record for record in records if record["kind"] == "create" and not record["returned_earlier"]]
    games: list[GameHistory] = []
    rows: list[NotificationRow] = []
    deliveries: list[DeliveryRow] = []
    messages: list[ObservedMessage] = []
    for reminder in reminders:
        own = [_message(record) for record in created if reminder.title in record["content"]]
        game = _game(reminder, own)
        row = _row(game)
        games.append(game)
        rows.append(row)
        deliveries += [_delivery(message, row) for message in own]
        messages += own
    facts = DatabaseFacts(
        games={game.id: game for game in games},
        notifications={row.id: row for row in rows},
        transitions=[],
        deliveries={delivery.id: delivery for delivery in deliveries},
        now=max((row.due_at for row in rows), default=_CREATED),
        recorded=False,
    )
    messages.sort(key=lambda message: message.at)
    return compare_deliveries(Evidence(facts, messages, clock_tolerance=CLOCK_TOLERANCE))


def _message(record: dict[str, Any]) -> ObservedMessage:
    return ObservedMessage(
        at=datetime.fromtimestamp(record["wall"], UTC),
        message_id=int(record["message_id"]),
        delivery_id=uuid4(),
        text=record["content"],
        mentioned=frozenset(map(int, record["pinged_users"])),
        channel_id=int(record["channel_id"]),
        user_id=record["recipient_id"] and int(record["recipient_id"]),
    )


def _game(reminder: Reminder, messages: Sequence[ObservedMessage]) -> GameHistory:
    """Return the game of a reminder; its players are not known, so everyone mentioned is one."""
    players = frozenset(player for message in messages for player in message.mentioned)
    starts_at = datetime.fromtimestamp(reminder.due_at, UTC) + OFFSET
    return GameHistory(
        id=uuid4(),
        title=reminder.title,
        host_id=next(iter(players), 0),
        offsets=(OFFSET // timedelta(minutes=1),),
        duration=timedelta(hours=3),
        message_id=None,
        states=(GameState(_CREATED, starts_at, GameStatus.SCHEDULED, players),),
    )


def _delivery(message: ObservedMessage, row: NotificationRow) -> DeliveryRow:
    assert message.delivery_id is not None
    return DeliveryRow(message.delivery_id, row.id, DeliveryState.SENT, (), message_id=message.message_id)


def _row(game: GameHistory) -> NotificationRow:
    [offset], starts_at = game.offsets, game.final.starts_at
    due_at = starts_at - OFFSET
    return NotificationRow(uuid4(), game.id, NotificationKind.REMINDER, offset, starts_at, due_at, Outcome.DELIVERED)
