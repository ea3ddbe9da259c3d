"""Reminders of one player alone: those that somebody asked for, each delivered once to exactly its player.

What players asked for is known from the players, not from the schedule's rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sandbox.oracle.expected import DELIVERY_DEADLINE, STARTED_AFTER, Reminder
from sandbox.oracle.facts import Evidence, GameHistory, GameState
from sandbox.oracle.observed import ClaimedMessage
from sandbox.oracle.verdict import Verdict
from shared.models import DeliveryState, GameStatus, NotificationKind


@dataclass(frozen=True)
class PersonalReminder:
    """The identity of a reminder for one player."""

    game_id: UUID
    user_id: int
    due_at: datetime


def check_personal_reminders(messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    """Check that each was delivered if it was due and valid, and that nobody got one that nobody asked for."""
    expected = {reminder: state for game in _games(evidence) for reminder, state in _expected(game, evidence)}
    sent = {_identity(message) for message in messages if message.row.kind is NotificationKind.PERSONAL_REMINDER}
    unknown = _undecidable(evidence)
    for message in messages:
        if message.row.kind is NotificationKind.PERSONAL_REMINDER and message.game.id not in evidence.lost.games:
            decisions = message.decision_times(evidence)
            reasons = [_why_wrong(message, expected, evidence, decided_at=decision) for decision in decisions]
            if reasons and all(reasons):
                verdict.wrong.append(f"{message.name}: {reasons[-1]}")
    for reminder, state in expected.items():
        if reminder.due_at > evidence.facts.now:
            continue
        game = evidence.facts.games[reminder.game_id]
        verdict.personal_reminders += 1
        if reminder not in sent | unknown and not _may_be_omitted(reminder, state, game, expected, evidence):
            rows = evidence.facts.notifications.values()
            found = [row for row in rows if (row.game_id, row.user_id) == (reminder.game_id, reminder.user_id)]
            what = ", ".join(f"{row.outcome}: {row.detail}" for row in found) or "there is no row"
            verdict.lost.append(f"{game.title}, for {reminder.user_id}, due {reminder.due_at:%T.%f} ({what})")


def _games(evidence: Evidence) -> list[GameHistory]:
    return [game for game in evidence.facts.games.values() if game.id not in evidence.lost.games]


def _expected(game: GameHistory, evidence: Evidence) -> Iterator[tuple[PersonalReminder, GameState]]:
    """Yield what the players and the host asked for, with the state of the game that it is about."""
    wishes = evidence.wishes
    for (game_id, user_id), (snoozed_at, due_at) in wishes.snoozed.items():
        state = game.state_at(snoozed_at)
        if game_id == game.id and state is not None:
            yield PersonalReminder(game_id, user_id, due_at), state
    for state in game.states:
        for user_id in (state.players | {game.host_id}) & wishes.extra.keys():
            due_at = state.starts_at - timedelta(minutes=wishes.extra[user_id])
            since = max(state.at, wishes.since or state.at)
            if wishes.extra[user_id] not in game.offsets and since + evidence.clock_tolerance < due_at:
                yield PersonalReminder(game.id, user_id, due_at), state


def _why_wrong(
    message: ClaimedMessage,
    expected: dict[PersonalReminder, GameState],
    evidence: Evidence,
    *,
    decided_at: datetime,
) -> str | None:
    reminder, game = _identity(message), message.game
    state, tolerance = game.state_at(decided_at), evidence.clock_tolerance
    if message.message.recipients != {reminder.user_id}:
        return "it was not for its player alone"
    if reminder not in expected:
        return "nobody had asked for it"
    if decided_at + tolerance < reminder.due_at:
        return "it was not due"
    if state is None or state.status is GameStatus.CANCELLED:
        return "the game was cancelled"
    if state.starts_at != message.row.starts_at:
        return "the game had been moved"
    if decided_at >= state.starts_at + STARTED_AFTER + tolerance:
        return "the game had started"
    if reminder.user_id not in game.people_at(decided_at):
        return "the player had left"
    if reminder.user_id in evidence.preferences.reminders_off:
        return "the player had turned reminders off"
    if _is_overtaken(reminder, state, game, expected, by=decided_at - tolerance):
        return "a later reminder was due"
    return None


def _may_be_omitted(
    reminder: PersonalReminder,
    state: GameState,
    game: GameHistory,
    expected: dict[PersonalReminder, GameState],
    evidence: Evidence,
) -> bool:
    """Return whether the player left, the game changed or started, or a later reminder was due before the deadline."""
    deadline = max(reminder.due_at, evidence.fault_ended_at or reminder.due_at) + DELIVERY_DEADLINE
    first = game.states.index(state)
    until = [state, *(later for later in game.states[first:] if later.at <= deadline)]
    has_changed = any(later.starts_at != state.starts_at or later.status is GameStatus.CANCELLED for later in until)
    has_left = any(reminder.user_id not in later.players | {game.host_id} for later in until)
    has_started = state.starts_at + STARTED_AFTER <= deadline
    is_off = reminder.user_id in evidence.preferences.reminders_off
    return (
        has_changed or has_left or has_started or is_off or _is_overtaken(reminder, state, game, expected, by=deadline)
    )


def _is_overtaken(
    reminder: PersonalReminder,
    state: GameState,
    game: GameHistory,
    expected: dict[PersonalReminder, GameState],
    *,
    by: datetime,
) -> bool:
    """Return whether a later reminder, for everybody or for this player, was due by then."""
    due_times = [Reminder(game.id, offset, state.starts_at).due_at for offset in game.offsets]
    due_times += [
        other.due_at for other in expected if (other.game_id, other.user_id) == (reminder.game_id, reminder.user_id)
    ]
    return any(reminder.due_at < due_at <= by for due_at in due_times)


def _identity(message: ClaimedMessage) -> PersonalReminder:
    return PersonalReminder(message.row.game_id, message.row.user_id or 0, message.row.due_at)


def _undecidable(evidence: Evidence) -> set[PersonalReminder]:
    """Return those whose attempts have an unknown result, where the fault justifies it."""
    facts, found = evidence.facts, set()
    for delivery in facts.deliveries.values() if evidence.unknown_allowed else ():
        row = facts.notifications[delivery.notification_id]
        if delivery.state is DeliveryState.UNKNOWN and row.user_id is not None:
            found.add(PersonalReminder(row.game_id, row.user_id, row.due_at))
    return found
