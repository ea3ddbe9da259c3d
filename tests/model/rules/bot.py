"""The model of a row of the schedule, continued: what comes of the copies that the bot meets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome
from tests.model.rules.book import At
from tests.model.rules.schedule import SCHEDULE_RULES, after_backoff, settled
from tests.model.run import Doing
from tests.model.state import Row

_STATUSES = list(GameStatus)
A_MOMENT = timedelta(seconds=0.1)
"""At least so long a lease is waited for."""
MOVED, EXPIRED, OVERTAKEN = "moved", "expired", "overtaken"


def ending(row: Row, at: At) -> str | None:
    """Return the line by which a notification is over without being told, None while it holds."""
    game = at.model.games[row.game_id]
    if row.what != NotificationKind.ANNOUNCEMENT and row.version != game.version:
        return MOVED
    if not row.is_reminder or row.starts_at is None:
        return None
    if row.starts_at + timedelta(seconds=60) <= at.now:
        return EXPIRED
    others = [other for other in at.model.rows.values() if other.is_reminder and other.game_id == row.game_id]
    overtaken = any(row.due_at < other.due_at <= at.now for other in others if other.starts_at == row.starts_at)
    return OVERTAKEN if overtaken else None


def holds(row: Row, at: At) -> bool:
    """Whether a row is to be told."""
    return row.is_open and ending(row, at) is None


def is_told_by(row: Row, at: At) -> bool:
    """Whether a run tells a row that has no outcome."""
    return at.run.doing is Doing.TELL and row.id in at.run.rows and row.is_open


def next_attempt(row: Row, seen: Row | None, at: At, waits: list[timedelta]) -> Row | None:
    """Return the row with its next attempt after one of some waits, the one that was seen."""
    if not is_told_by(row, at) or seen is None:
        return None
    fits = any(at.given(row).after(seen.attempt_at, wait.total_seconds()) for wait in waits)
    return replace(row, attempt_at=seen.attempt_at) if fits else None


def is_ahead(target: str, status: GameStatus) -> bool:
    """Whether a status is still before a game: statuses only move down their list."""
    return _STATUSES.index(GameStatus(target)) > _STATUSES.index(status)


@SCHEDULE_RULES.rule()
def moved(row: Row, seen: Row | None, at: At) -> Row | None:
    return settled(row, Outcome.SUPERSEDED, at) if is_told_by(row, at) and ending(row, at) == MOVED else None


@SCHEDULE_RULES.rule()
def expired(row: Row, seen: Row | None, at: At) -> Row | None:
    return settled(row, Outcome.EXPIRED, at) if is_told_by(row, at) and ending(row, at) == EXPIRED else None


@SCHEDULE_RULES.rule()
def overtaken(row: Row, seen: Row | None, at: At) -> Row | None:
    return settled(row, Outcome.SUPERSEDED, at) if is_told_by(row, at) and ending(row, at) == OVERTAKEN else None


@SCHEDULE_RULES.rule()
def told(row: Row, seen: Row | None, at: At) -> Row | None:
    ledger = at.model.ledger(row.id)
    if not is_told_by(row, at) or row.what == NotificationKind.ANNOUNCEMENT or not ledger:
        return None
    if not all(delivery.is_final for delivery in ledger):
        return None
    sent = [delivery for delivery in ledger if delivery.state is DeliveryState.SENT]
    if not sent:
        return settled(row, Outcome.UNDELIVERABLE, at)
    return settled(row, Outcome.DELIVERED if len(sent) == len(ledger) else Outcome.PARTLY_DELIVERED, at)


@SCHEDULE_RULES.rule()
def postponed(row: Row, seen: Row | None, at: At) -> Row | None:
    if not is_told_by(row, at) or not at.run.failed:
        return None
    return after_backoff(replace(row, failed_attempt=row.attempts), seen, at)


@SCHEDULE_RULES.rule()
def asked(row: Row, seen: Row | None, at: At) -> Row | None:
    failed = replace(row, failed_attempt=row.attempts)
    return next_attempt(failed, seen, at, [timedelta(seconds=seconds) for seconds in at.run.asked])


@SCHEDULE_RULES.rule()
def held(row: Row, seen: Row | None, at: At) -> Row | None:
    left = [end - at.now for end in at.model.leases[row.id] if at.now < end]
    return next_attempt(row, seen, at, [max(A_MOMENT, wait) for wait in left])


@SCHEDULE_RULES.rule()
def paused(row: Row, seen: Row | None, at: At) -> Row | None:
    if not is_told_by(row, at) or at.run.who not in at.model.paused or seen is None:
        return None
    return replace(row, attempt_at=seen.attempt_at) if at.given(row).is_paused(seen.attempt_at) else None


@SCHEDULE_RULES.rule()
def waiting(row: Row, seen: Row | None, at: At) -> Row | None:
    ends = [end + at.young for one in at.model.sending(row.id) if at.is_old(one) and (end := one.lease_until)]
    return next_attempt(row, seen, at, [end - at.now for end in ends if at.now < end])


@SCHEDULE_RULES.rule()
def aging(row: Row, seen: Row | None, at: At) -> Row | None:
    gone = any(at.has_left(one) and not at.is_old(one) for one in at.model.sending(row.id))
    return next_attempt(row, seen, at, [at.young] if gone or at.run.aging else [])


@SCHEDULE_RULES.rule()
def again(row: Row, seen: Row | None, at: At) -> Row | None:
    anew = any(at.run.saw(one.id, "absent", "redirected") for one in at.model.ledger(row.id))
    return next_attempt(row, seen, at, [timedelta(0)] if anew else [])


@SCHEDULE_RULES.rule()
def applied(row: Row, seen: Row | None, at: At) -> Row | None:
    turned = at.run.turned.get(row.game_id)
    if not is_told_by(row, at) or row.what not in _STATUSES or turned is None:
        return None
    was, became = turned
    return settled(row, Outcome.APPLIED, at) if is_ahead(row.what, was) and not is_ahead(row.what, became) else None


@SCHEDULE_RULES.rule()
def passed(row: Row, seen: Row | None, at: At) -> Row | None:
    game = at.model.games[row.game_id]
    if not is_told_by(row, at) or row.what not in _STATUSES:
        return None
    over = row.version != game.version or not is_ahead(row.what, game.status)
    return settled(row, Outcome.SUPERSEDED, at) if over else None
