"""What the state of a row and of a recipient means, in words, and what will happen next.

It reads the columns exactly as the loops and the bot do (docs: the state table) and decides nothing: every sentence is
about what those would do with the row as it is now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cli.words import counted, span
from shared.models import (
    DeliveryState,
    DueRow,
    Game,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationSchedule,
    Outcome,
)
from shared.schedule.notices import staleness
from shared.schedule.settle import Settlement
from shared.settings import Timing

PATIENCE = timedelta(seconds=5)
"""How long after its time a row may wait for a loop before something seems wrong."""

_NOT_TAKEN = " No controller has taken it since: do the controllers run, and is no Scheduler suspended?"


@dataclass(frozen=True)
class Meaning:
    """A state in one word and in a sentence, and what comes next, None when nothing does."""

    state: str
    words: str
    next: str | None = None
    next_at: datetime | None = None


def of_row(row: DueRow, game: Game, ledger: list[NotificationDelivery], *, now: datetime) -> Meaning:
    """Return what the state of a row of either schedule means."""
    if row.outcome is not None:
        return Meaning(row.outcome, _ended(row, row.outcome, ledger))
    ended = _stale(row, game, now=now)
    if ended is not None:
        outcome, reason = ended
        words = f"It is not told any more, because {reason}; the bot has yet to record it as {outcome}."
        return Meaning("stale", words, "will be looked at again", row.attempt_at)
    if row.attempts == 0:
        return _untried(row, now=now)
    return _tried(row, now=now)


def of_recipient(delivery: NotificationDelivery, *, ended: bool, now: datetime, timing: Timing) -> str:
    """Return what the state of a ledger row means; `ended` says that its notification is settled."""
    match delivery.state:
        case DeliveryState.SENT:
            return "Discord made this message."
        case DeliveryState.FAILED:
            return "Discord refused it for good; it is not tried again."
        case DeliveryState.UNKNOWN:
            return "It may or may not have been told, and is never sent again: look in the channel."
        case DeliveryState.PENDING:
            if ended:
                return "It was not told: the notification ended first."
            return "Nothing was sent; it is told at the next attempt."
        case DeliveryState.SENDING:
            return _being_sent(delivery, ended=ended, now=now, timing=timing)


def lateness(row: DueRow, ledger: list[NotificationDelivery]) -> float | None:
    """Return the seconds from due to done, of the last recipient; None while it is not done, or was not told."""
    sent = [one.finished_at for one in ledger if one.state is DeliveryState.SENT and one.finished_at is not None]
    done = max(sent, default=None)
    if done is None and row.outcome in (Outcome.APPLIED, Outcome.DELIVERED):
        done = row.settled_at
    return None if done is None else (done - row.due_at).total_seconds()


def _stale(row: DueRow, game: Game, *, now: datetime) -> Settlement | None:
    if isinstance(row, NotificationSchedule):
        return staleness(row, game, now=now)
    if row.game_version != game.version:
        return Settlement(Outcome.SUPERSEDED, f"the session changed (version {game.version})")
    return None


def _untried(row: DueRow, *, now: datetime) -> Meaning:
    waiting = _waiting_since(row, now=now)
    if waiting is None:
        return Meaning(
            "waiting", "It is not due yet; nothing was sent.", "will be taken by a controller", row.attempt_at
        )
    words = f"It has been due for {span(waiting.total_seconds())} and was not tried."
    return Meaning(
        "due", words + (_NOT_TAKEN if waiting > PATIENCE else ""), "is taken by a controller", row.attempt_at
    )


def _tried(row: DueRow, *, now: datetime) -> Meaning:
    waiting = _waiting_since(row, now=now)
    held_up = _NOT_TAKEN if waiting is not None and waiting > PATIENCE else ""
    if row.failed_attempt >= row.attempts:
        words = f"Attempt {row.attempts} failed: {row.last_error or 'no reason was recorded'}." + held_up
        return Meaning("failing", words, "will be tried again", row.attempt_at)
    words = f"Attempt {row.attempts} was handed to the bot, which has not recorded an outcome yet." + held_up
    return Meaning("published", words, "will be tried again unless it has ended by then", row.attempt_at)


def _waiting_since(row: DueRow, *, now: datetime) -> timedelta | None:
    """Return how long a loop could have taken the row, None when it may not yet."""
    return now - row.attempt_at if row.attempt_at is not None and row.attempt_at <= now else None


def _ended(row: DueRow, outcome: Outcome, ledger: list[NotificationDelivery]) -> str:
    told = sum(delivery.state is DeliveryState.SENT for delivery in ledger)
    unknown = sum(delivery.state is DeliveryState.UNKNOWN for delivery in ledger)
    doubt = f" Of {counted(unknown, 'message')} nobody knows: never sent again." if unknown else ""
    match outcome:
        case Outcome.DELIVERED:
            late = lateness(row, ledger)
            return "It was told." if late is None else f"It was told, {span(late)} after it was due."
        case Outcome.PARTLY_DELIVERED:
            return f"Of {counted(len(ledger), 'message')} {told} could be sent.{doubt}"
        case Outcome.EXPIRED:
            return "The session had begun before it could be told; it is not told any more."
        case Outcome.SUPERSEDED:
            return "Something else took its place, so it was not told; it is not told any more."
        case Outcome.UNDELIVERABLE:
            what = "status was not changed" if isinstance(row, GameStatusSchedule) else "it was not told"
            return f"It cannot succeed, so {what}; it is not tried any more.{doubt}"
        case Outcome.APPLIED:
            return "The session took the status."


def _being_sent(delivery: NotificationDelivery, *, ended: bool, now: datetime, timing: Timing) -> str:
    if delivery.lease_until is not None and delivery.lease_until > now:
        return "A bot is sending it now, or died at it; no other does before its lease ends."
    if ended:
        return "It may or may not have been told: the notification ended before that was found out."
    first = delivery.first_sending_at
    if first is not None and now - first < timedelta(seconds=timing.nonce_window):
        return "It may have been sent; sending it again is safe while Discord remembers the nonce, and is what happens."
    return "It may have been sent, too long ago to send it again safely; the next attempt records it as unknown."
