"""What each action owes the database: written down from the rules, before or without looking at what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from shared.models import GameStatus, NotificationKind, Outcome
from tests.model.broker import Fate, Offer
from tests.model.ground import SCHEDULE, STATUS
from tests.model.model import Model
from tests.model.run import Doing, Run
from tests.model.stage import HOSTS
from tests.model.state import NOBODY, Game, Row

ANNOUNCEMENT, CANCELLATION, REMINDER = (
    NotificationKind.ANNOUNCEMENT,
    NotificationKind.CANCELLATION,
    NotificationKind.REMINDER,
)
Debt = tuple[str, UUID | Row]


def create(model: Model, game: Game) -> Run:
    """A new game: its reminders that are still to come, its two changes of status, and its announcement."""
    reminders = [_reminder(game, offset) for offset in game.offsets]
    wanted = [row for row in reminders if row.due_at > model.now]
    wanted += [_change(model, game, status, due_at) for status, due_at in _changes(game).items()]
    wanted.append(model.notice(game, ANNOUNCEMENT))
    return Run(Doing.CHANGE, HOSTS, game=game, owed=[("written", row) for row in wanted])


def reschedule(model: Model, game: Game, starts_at: datetime) -> Run:
    """Another time: what holds is kept, what does not is superseded, what is missing is written or reopened."""
    moved = replace(game, starts_at=starts_at, version=game.version + 1, revision=game.revision + 1)
    return Run(Doing.CHANGE, HOSTS, game=moved, owed=[*_populated(model, moved), *_refreshed(model, moved)])


def cancel(model: Model, game: Game) -> Run:
    """No reminder and no change of status any more, but a cancellation."""
    status = GameStatus.CANCELLED
    cancelled = replace(game, status=status, version=game.version + 1, revision=game.revision + 1)
    owed = [*_populated(model, cancelled), *_refreshed(model, cancelled)]
    return Run(Doing.CHANGE, HOSTS, game=cancelled, owed=[*owed, ("written", model.notice(cancelled, CANCELLATION))])


def change_roster(model: Model, game: Game, players: tuple[int, ...]) -> Run:
    """Who plays has no bearing on the schedule; the post shows it."""
    changed = replace(game, players=players, revision=game.revision + 1)
    return Run(Doing.CHANGE, HOSTS, game=changed, owed=_refreshed(model, changed))


def dispatch(model: Model, claimed: Sequence[Row], offers: Sequence[Offer], run: Run, *, whole: bool) -> None:
    """Enter what a scheduler owes: each row as the broker answered."""
    offered, due = {offer.row_id for offer in offers}, {row.id for row in claimed}
    assert offered == due or (offered <= due and not whole), "what is due is offered, and only that"
    for offer in offers:
        row = model.rows[offer.row_id]
        assert offer.attempt == row.attempts + 1, f"a copy is attempt {offer.attempt} of {row}"
        assert offer.ttl == _ttl(row, model.now), f"a copy of {row} lives {offer.ttl}"
        run.owed.append((_dispatched(offer.fate), row.id))


def reconcile(model: Model, copies: Mapping[UUID, int], offers: Sequence[Offer], run: Run, *, whole: bool) -> None:
    """Enter what the dead-letter loop owes for the latest dead copy of each row."""
    won = {row_id for row_id, attempt in copies.items() if _wins(model.rows.get(row_id), attempt, model.now)}
    offered = {offer.row_id for offer in offers}
    assert offered == won or (offered <= won and not whole), "a dead copy wins its row by the rule, or is dropped"
    for offer in offers:
        row = model.rows[offer.row_id]
        assert (offer.attempt, offer.ttl) == (row.attempts + 1, None), f"a revived copy of {row} is {offer}"
        run.owed.append(("revived" if offer.fate is Fate.CONFIRMED else _dispatched(offer.fate), row.id))
    for row_id in copies.keys() - won:
        if (lost := model.rows.get(row_id)) is not None:
            run.owed.append(("dropped" if lost.is_open else "outlived", row_id))


def claimable(model: Model, table: str) -> list[Row]:
    """Return the rows that a scheduler may take now."""
    rows = [row for row in model.rows.values() if row.table == table and row.attempt_at is not None]
    return [row for row in rows if row.attempt_at is not None and row.attempt_at <= model.now]


def _dispatched(fate: Fate) -> str:
    return {Fate.CONFIRMED: "published", Fate.FULL: "queue_full"}.get(fate, "unpublished")


def _wins(row: Row | None, attempt: int, now: datetime) -> bool:
    if row is None or row.attempt_at is None:
        return False
    unanswered = row.attempts == attempt and row.failed_attempt < row.attempts
    return row.attempt_at <= now or unanswered


def _ttl(row: Row, now: datetime) -> timedelta | None:
    """A reminder lives until its game starts, and a minute at least; nothing else expires."""
    if not row.is_reminder or row.starts_at is None:
        return None
    until_start = (row.starts_at - now) // timedelta(milliseconds=1) * timedelta(milliseconds=1)
    return max(timedelta(minutes=1), until_start)


def _populated(model: Model, game: Game) -> list[Debt]:
    """What the schedule of a game that was changed owes."""
    debts: list[Debt] = []
    reminders = [row for row in model.rows_of(game.id) if row.is_reminder]
    scheduled = game.status is GameStatus.SCHEDULED
    for row in reminders:
        if row.is_open:
            debts.append(("kept" if scheduled and row.starts_at == game.starts_at else "superseded", row.id))
    for wanted in [_reminder(game, offset) for offset in game.offsets] if scheduled else []:
        there = next((row for row in reminders if row.identity == wanted.identity), None)
        if wanted.due_at > model.now and there is None:
            debts.append(("written", wanted))
        elif wanted.due_at > model.now and there is not None and there.outcome is Outcome.SUPERSEDED:
            debts.append(("reopened", there.id))
    return debts + _populated_changes(model, game)


def _populated_changes(model: Model, game: Game) -> list[Debt]:
    debts: list[Debt] = []
    wanted = _changes(game)
    for row in model.rows_of(game.id, STATUS):
        if row.is_open and wanted.get(GameStatus(row.what)) == row.due_at:
            debts.append(("kept", row.id))
            del wanted[GameStatus(row.what)]
        elif row.is_open:
            debts.append(("superseded", row.id))
    return debts + [("written", _change(model, game, status, due_at)) for status, due_at in wanted.items()]


def _refreshed(model: Model, game: Game) -> list[Debt]:
    missing = model.open_notice(game.id, ANNOUNCEMENT) is None
    return [("written", model.notice(game, ANNOUNCEMENT))] if missing else []


def _reminder(game: Game, offset: int) -> Row:
    due_at = game.starts_at - timedelta(minutes=offset)
    return Row(NOBODY, SCHEDULE, game.id, REMINDER, game.version, due_at, due_at, offset, game.starts_at)


def _changes(game: Game) -> dict[GameStatus, datetime]:
    """When a game is to take each status that is still ahead of it."""
    times = {GameStatus.IN_PROGRESS: game.starts_at, GameStatus.COMPLETED: game.ends_at}
    if game.status.is_final:
        return {}
    return {status: at for status, at in times.items() if status is not game.status}


def _change(model: Model, game: Game, status: GameStatus, due_at: datetime) -> Row:
    return Row(NOBODY, STATUS, game.id, status, game.version, due_at, max(due_at, model.now))
