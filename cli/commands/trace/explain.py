"""Explains the state of rows and deliveries as the loops and the bot read it. See docs/states.md."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.formatting import format_seconds, plural
from shared.models import (
    DeliveryState,
    DueRow,
    Game,
    GameStatus,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
)
from shared.schedule.notices import staleness
from shared.schedule.settle import Settlement
from shared.settings import Timing

OVERDUE_AFTER = timedelta(seconds=5)
"""How long a row may wait for a loop."""

_OVERDUE = " It is overdue: check that the controllers run and that no Scheduler is suspended."


@dataclass(frozen=True)
class StateExplanation:
    """A state's name, its explanation and the next step."""

    state: str
    summary: str
    next_step: str | None = None
    next_at: datetime | None = None


def explain_row(row: DueRow, game: Game, deliveries: list[NotificationDelivery], *, now: datetime) -> StateExplanation:
    """Explain the state of a notification or status change."""
    if row.outcome is not None:
        return StateExplanation(row.outcome, _summarize_outcome(row, row.outcome, deliveries))
    if not _is_known(row):
        return StateExplanation("newer", "Only a newer release knows what this is. It waits for that release.")
    stale = _staleness(row, game, now=now)
    if stale is not None:
        what = "applied" if isinstance(row, GameStatusSchedule) else "sent"
        summary = f"It will not be {what}: {stale.detail}. The outcome {stale.outcome} is not recorded yet."
        return StateExplanation("stale", summary, "the bot checks it again", row.attempt_at)
    return _explain_first_attempt(row, now=now) if row.attempts == 0 else _explain_attempts(row, now=now)


def explain_delivery(delivery: NotificationDelivery, *, is_settled: bool, now: datetime, timing: Timing) -> str:
    """Explain the state of a delivery."""
    match delivery.state:
        case DeliveryState.SENT:
            return "Discord created this message."
        case DeliveryState.FAILED:
            return "Discord rejected it for good. It is not retried."
        case DeliveryState.UNKNOWN:
            return "It may or may not have been sent, and is never resent. Check the channel."
        case DeliveryState.PENDING if is_settled:
            return "Not sent: the notification was settled first."
        case DeliveryState.PENDING:
            return "Not sent yet. It is sent at the next attempt."
        case DeliveryState.SENDING:
            return _explain_sending(delivery, is_settled=is_settled, now=now, timing=timing)


def lateness_seconds(row: DueRow, deliveries: list[NotificationDelivery]) -> float | None:
    """Return the seconds from due to done, or None if not done or not sent."""
    sent = [
        delivery.finished_at
        for delivery in deliveries
        if delivery.state is DeliveryState.SENT and delivery.finished_at is not None
    ]
    done_at = max(sent, default=None)
    if done_at is None and row.outcome in (Outcome.APPLIED, Outcome.DELIVERED):
        done_at = row.settled_at
    return None if done_at is None else (done_at - row.due_at).total_seconds()


def _is_known(row: DueRow) -> bool:
    if isinstance(row, NotificationSchedule):
        return row.kind in set(NotificationKind)
    return not isinstance(row, GameStatusSchedule) or row.target_status in set(GameStatus)


def _staleness(row: DueRow, game: Game, *, now: datetime) -> Settlement | None:
    if isinstance(row, NotificationSchedule):
        return staleness(row, game, now=now)
    if row.game_version != game.version:
        return Settlement(Outcome.SUPERSEDED, f"the game changed (version {game.version})")
    return None


def _explain_first_attempt(row: DueRow, *, now: datetime) -> StateExplanation:
    waiting = _waiting_time(row, now=now)
    if waiting is None:
        return StateExplanation("waiting", "Not due yet.", "a controller publishes it", row.attempt_at)
    overdue = _OVERDUE if waiting > OVERDUE_AFTER else ""
    summary = f"Due for {format_seconds(waiting.total_seconds())}, and not published yet.{overdue}"
    return StateExplanation("due", summary, "a controller publishes it", row.attempt_at)


def _explain_attempts(row: DueRow, *, now: datetime) -> StateExplanation:
    waiting = _waiting_time(row, now=now)
    overdue = _OVERDUE if waiting is not None and waiting > OVERDUE_AFTER else ""
    if row.failed_attempt >= row.attempts:
        summary = f"Attempt {row.attempts} failed: {row.last_error or 'no reason was recorded'}.{overdue}"
        return StateExplanation("failing", summary, "it is retried", row.attempt_at)
    summary = f"Attempt {row.attempts} was published. The bot has not recorded an outcome yet.{overdue}"
    return StateExplanation("published", summary, "it is retried unless it has an outcome by then", row.attempt_at)


def _waiting_time(row: DueRow, *, now: datetime) -> timedelta | None:
    """Return how long the row has waited, or None before it is due."""
    return now - row.attempt_at if row.attempt_at is not None and row.attempt_at <= now else None


def _summarize_outcome(row: DueRow, outcome: Outcome, deliveries: list[NotificationDelivery]) -> str:
    sent = sum(delivery.state is DeliveryState.SENT for delivery in deliveries)
    unknown = sum(delivery.state is DeliveryState.UNKNOWN for delivery in deliveries)
    messages = plural(unknown, "message")
    uncertain = f" {messages} may or may not have been sent, and will not be resent." if unknown else ""
    done, not_done = "sent", "Not sent"
    if isinstance(row, GameStatusSchedule):
        done, not_done = "applied", "Status not applied"
    match outcome:
        case Outcome.DELIVERED:
            late = lateness_seconds(row, deliveries)
            return "Delivered." if late is None else f"Delivered {format_seconds(late)} after it was due."
        case Outcome.PARTLY_DELIVERED:
            return f"{sent} of {plural(len(deliveries), 'message')} sent.{uncertain}"
        case Outcome.EXPIRED:
            return "Not sent, because the game had started."
        case Outcome.SUPERSEDED:
            return f"Superseded; not {done}."
        case Outcome.UNDELIVERABLE:
            return f"{not_done}; it will not be retried.{uncertain}"
        case Outcome.APPLIED:
            return "Status applied."
    return "A newer release settled it."


def _explain_sending(delivery: NotificationDelivery, *, is_settled: bool, now: datetime, timing: Timing) -> str:
    if delivery.lease_until is not None and delivery.lease_until > now:
        return "A bot is sending it, or died while sending. No other bot sends it before the lease ends."
    if is_settled:
        return "It may or may not have been sent: the notification was settled before this was known."
    first = delivery.first_sending_at
    if first is not None and now - first < timedelta(seconds=timing.nonce_window):
        return "It may have been sent. It is sent again, which is safe while Discord remembers the nonce."
    return "It may have been sent, too long ago to resend it safely. The next attempt searches the channel for it."
