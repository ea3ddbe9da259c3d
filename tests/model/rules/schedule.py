"""The model of a row of the schedule: one rule for each line of the first table of docs/states.md.

A rule says what a row becomes, or that it does not fit. `seen` is what the row became in the database, for what the
model leaves to chance; everything else must come out equal. Here are the lines of games and controllers.
"""

from __future__ import annotations

from dataclasses import replace

from shared.models import Outcome
from tests.model.rules.book import GONE, At, Book, Gone
from tests.model.run import Doing
from tests.model.state import Row

SCHEDULE_RULES: Book[Row] = Book()


def settled(row: Row, outcome: Outcome, at: At) -> Row:
    """Return a row with its outcome."""
    return replace(row, attempt_at=None, outcome=outcome, settled_at=at.now)


def after_backoff(row: Row, seen: Row | None, at: At) -> Row | None:
    """Return a failed row with its next attempt as it was seen, if chance may have had it so."""
    if seen is None or seen.attempt_at is None:
        return None
    fits = at.given(row).is_backoff(seen.attempt_at - at.now, attempts=row.attempts)
    return replace(row, attempt_at=seen.attempt_at) if fits else None


@SCHEDULE_RULES.rule(creates=True)
def written(_: None, seen: Row, at: At) -> Row | None:
    refreshed = at.run.doing is Doing.TELL and at.model.is_missing_notice(seen, at)
    return seen if at.run.owes("written", seen) or refreshed else None


@SCHEDULE_RULES.owed
def kept(row: Row, seen: Row | None, at: At) -> Row | None:
    return replace(row, version=at.run.game.version) if at.run.game else None


@SCHEDULE_RULES.owed
def superseded(row: Row, seen: Row | None, at: At) -> Row | None:
    return settled(row, Outcome.SUPERSEDED, at)


@SCHEDULE_RULES.owed
def reopened(row: Row, seen: Row | None, at: At) -> Row | None:
    return (
        replace(row, version=at.run.game.version, attempt_at=row.due_at, outcome=None, settled_at=None)
        if at.run.game
        else None
    )


@SCHEDULE_RULES.owed
def published(row: Row, seen: Row | None, at: At) -> Row | None:
    return replace(row, attempts=row.attempts + 1, attempt_at=at.now + at.given(row).settle(row))


@SCHEDULE_RULES.owed
def revived(row: Row, seen: Row | None, at: At) -> Row | None:
    return replace(row, attempts=row.attempts + 1, attempt_at=at.now + at.given(row).settle(row))


@SCHEDULE_RULES.owed
def unpublished(row: Row, seen: Row | None, at: At) -> Row | None:
    attempts = row.attempts + 1
    failed = replace(row, attempts=attempts, failed_attempt=attempts)
    return after_backoff(failed, seen, at)


@SCHEDULE_RULES.owed
def queue_full(row: Row, seen: Row | None, at: At) -> Row | None:
    return row


@SCHEDULE_RULES.owed
def unbuildable(row: Row, seen: Row | None, at: At) -> Row | None:
    return settled(row, Outcome.UNDELIVERABLE, at)


@SCHEDULE_RULES.owed
def rearmed(row: Row, seen: Row | None, at: At) -> Row | None:
    return replace(row, attempt_at=at.now)


@SCHEDULE_RULES.owed
def purged(row: Row, seen: Row | None, at: At) -> Gone:
    return GONE


@SCHEDULE_RULES.owed
def dropped(row: Row, seen: Row | None, at: At) -> Row | None:
    return row


@SCHEDULE_RULES.owed
def outlived(row: Row, seen: Row | None, at: At) -> Row | None:
    return row


@SCHEDULE_RULES.owed
def ignored(row: Row, seen: Row | None, at: At) -> Row | None:
    return row
