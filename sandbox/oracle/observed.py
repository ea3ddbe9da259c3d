"""Observed: what the sandbox Discord accepted, and which reminder or notice each message claims to be.

The nonce only says which row a message claims to be. Whether it may be sent, to whom, and how often, follows from the
games' history.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.evidence import Accepted
from sandbox.oracle.expected import Reminder
from sandbox.oracle.facts import DeliveryRow, Evidence, GameHistory, NotificationRow, ObservedMessage
from sandbox.oracle.verdict import Verdict
from shared.discord.ids import delivery_id_of
from shared.models import DeliveryState, NotificationKind


def created_messages(discord: SandboxDiscord) -> list[ObservedMessage]:
    """Return every message of the bot that is not ephemeral, oldest first.

    A request that was answered with an earlier message of the same nonce created nothing.
    """
    return [
        ObservedMessage(
            at=datetime.fromtimestamp(record.wall, UTC),
            message_id=record.message_id,
            delivery_id=delivery_id_of(str(record.nonce)),
            text=_text(record),
            mentioned=frozenset(record.pinged_users),
            channel_id=record.channel_id,
            user_id=record.recipient_id,
        )
        for record in _public(discord)
        if record.kind == "create" and not record.returned_earlier
    ]


def final_text(discord: SandboxDiscord) -> dict[int, str]:
    """Return the text of each message as it is now."""
    return {record.message_id: _text(record) for record in _public(discord)}


def _public(discord: SandboxDiscord) -> list[Accepted]:
    bot = discord.world.bot.id
    return [record for record in discord.evidence if record.author_id == bot and record.visible_to is None]


def _text(record: Accepted) -> str:
    return record.content + (json.dumps(record.embeds, ensure_ascii=False) if record.embeds else "")


@dataclass(frozen=True)
class ClaimedMessage:
    """A message with the rows that its nonce claims."""

    message: ObservedMessage
    delivery: DeliveryRow
    row: NotificationRow
    game: GameHistory

    @property
    def reminder(self) -> Reminder | None:
        """The reminder it claims to be, None for another kind."""
        row = self.row
        return None if row.offset is None else Reminder(row.game_id, row.offset, row.starts_at)

    @property
    def in_channel(self) -> bool:
        """Whether it is in a channel, not in direct messages."""
        return self.message.user_id is None

    @property
    def name(self) -> str:
        """The message as a person would look for it."""
        where = "" if self.in_channel else f" to {self.message.user_id}"
        return f"{self.row.kind} of {self.game.title}{where} at {self.message.at:%T.%f}"

    def decision_times(self, evidence: Evidence) -> Sequence[datetime]:
        """Return when sending may have been decided: at the last attempt before it, or at any if requests arrive late.

        Without a recorded history it is the moment at which Discord accepted it.
        """
        if not self.delivery.attempts:
            return [] if evidence.facts.recorded else [self.message.at]
        attempts = [attempt for attempt in self.delivery.attempts if attempt <= self.message.at]
        return attempts if evidence.late_arrivals else attempts[-1:]

    def claims(self, evidence: Evidence) -> set[object]:
        """Return everything it says that may be said once: in the channel, and to each person anywhere.

        A channel gets one message for each thing, since no roster here needs two, and one more for each player to whom
        Discord delivers no direct messages.
        """
        subject = self._subject
        people = self.message.recipients - evidence.lost.people
        claimed: set[object] = {self.delivery.id, *((subject, person) for person in people)}
        return claimed | {(subject, "channel")} if self.in_channel and not self._is_fallback(evidence) else claimed

    def _is_fallback(self, evidence: Evidence) -> bool:
        """Return whether it replaces a direct message that Discord refused.

        It may name new players too, and nobody else if the player whom it was for has left meanwhile.
        """
        closed, mentioned = evidence.preferences.closed, self.message.mentioned
        people = self.game.people_at(self.row.due_at)
        return bool(mentioned and closed & (mentioned | people)) and not (mentioned - closed) & people

    @property
    def _subject(self) -> object:
        """What it is about: a reminder by its identity, the announcement of a game, or a notice by its row."""
        row = self.row
        match row.kind:
            case NotificationKind.ANNOUNCEMENT:
                return row.game_id, row.kind
            case NotificationKind.PERSONAL_REMINDER:
                return row.game_id, row.kind, row.user_id, row.due_at
        return self.reminder or row.id


def claimed_messages(evidence: Evidence, verdict: Verdict) -> Iterator[ClaimedMessage]:
    """Yield the messages, oldest first; a message that no row asked for is doubled.

    One message of each row that a fail-over lost is left out.
    """
    facts, lost = evidence.facts, set(evidence.lost.deliveries)
    for message in evidence.messages:
        if message.delivery_id in lost:
            lost.remove(message.delivery_id)
            verdict.lost_commits += 1
            continue
        delivery = facts.deliveries.get(message.delivery_id) if message.delivery_id else None
        row = facts.notifications.get(delivery.notification_id) if delivery else None
        if delivery is None or row is None:
            verdict.doubled.append(f"nothing asked for {message.text[:80]!r}")
            continue
        yield ClaimedMessage(message, delivery, row, facts.games[row.game_id])


def find_unknown(evidence: Evidence) -> set[UUID]:
    """Return the games of which a message may have been created or not. Their notices are not judged."""
    facts = evidence.facts
    return {
        facts.notifications[delivery.notification_id].game_id
        for delivery in facts.deliveries.values()
        if delivery.state is DeliveryState.UNKNOWN
    }


def explain(game: GameHistory, kind: NotificationKind, evidence: Evidence) -> str:
    """Return what the schedule says became of a game's rows of a kind."""
    rows = [row for row in evidence.facts.notifications.values() if row.game_id == game.id and row.kind is kind]
    return ", ".join(f"{row.outcome}: {row.detail or row.user_ids}" for row in rows) or "there is no row"
