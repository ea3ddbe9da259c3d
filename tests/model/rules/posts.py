"""The model of a row of the schedule, continued: the post that shows a game, which is made once and edited."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shared.models import DeliveryState, NotificationKind, Outcome
from tests.model.rules.book import At
from tests.model.rules.bot import is_told_by, next_attempt
from tests.model.rules.schedule import SCHEDULE_RULES, settled
from tests.model.state import Row


@SCHEDULE_RULES.owed
def refused(row: Row, seen: Row | None, at: At) -> Row | None:
    return settled(row, Outcome.UNDELIVERABLE, at)


@SCHEDULE_RULES.owed
def deleted(row: Row, seen: Row | None, at: At) -> Row | None:
    return settled(row, Outcome.UNDELIVERABLE, at)


@SCHEDULE_RULES.owed
def reposted(row: Row, seen: Row | None, at: At) -> Row | None:
    return replace(row, attempt_at=at.now)


@SCHEDULE_RULES.rule()
def unposted(row: Row, seen: Row | None, at: At) -> Row | None:
    lost = [one for one in at.model.ledger(row.id) if one.is_final and one.state is not DeliveryState.SENT]
    announces = row.what == NotificationKind.ANNOUNCEMENT
    return settled(row, Outcome.UNDELIVERABLE, at) if is_told_by(row, at) and announces and lost else None


@SCHEDULE_RULES.rule()
def shown(row: Row, seen: Row | None, at: At) -> Row | None:
    game = at.model.games[row.game_id]
    announces = row.what == NotificationKind.ANNOUNCEMENT
    true = game.message_id is not None and at.model.shown.get(game.message_id) == game.revision
    return settled(row, Outcome.DELIVERED, at) if is_told_by(row, at) and announces and true else None


@SCHEDULE_RULES.rule()
def outdated(row: Row, seen: Row | None, at: At) -> Row | None:
    is_posted = any(one.state is DeliveryState.SENT for one in at.model.ledger(row.id))
    announces = row.what == NotificationKind.ANNOUNCEMENT
    return next_attempt(row, seen, at, [timedelta(0)] if announces and (is_posted or row.id in at.run.posted) else [])
