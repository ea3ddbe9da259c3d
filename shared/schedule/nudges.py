"""The nudge to those who have not answered: a row that is due before the start.

It follows from the game, and is written and superseded with it. The bot decides whom it is for when it is due. A game
has one for each start, so that another time for the nudge is the same row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import TransientError
from shared.models import Game, GameStatus, NotificationKind, NotificationSchedule, Outcome, new_id
from shared.schedule.notices import select_in_doubt
from shared.schedule.reopen import write_or_reopen
from shared.schedule.settle import settle_and_log


def planned_nudge(game: Game) -> datetime | None:
    """Return when those are nudged who have not answered, None if a game has no nudge or has started."""
    if game.status is not GameStatus.SCHEDULED or game.nudge_minutes is None:
        return None
    return game.scheduled_at - timedelta(minutes=game.nudge_minutes)


async def populate_nudge(session: AsyncSession, game: Game, *, moment: datetime) -> None:
    """Supersede a locked game's obsolete nudge, and write the one that is missing, but none in the past.

    Raises:
        TransientError: one for another start may have been sent, and its result is not known yet.
    """
    table = NotificationSchedule
    is_open = (table.game_id == game.id, table.kind == NotificationKind.NUDGE, table.settled_at.is_(None))
    columns = (table.id, table.game_scheduled_at, table.due_at)
    row = (await session.execute(select(*columns).where(*is_open))).one_or_none()
    planned = planned_nudge(game)
    if row is not None:
        is_of_start = row.game_scheduled_at == game.scheduled_at
        if is_of_start and row.due_at == planned:
            # Its delivery may be recorded at this moment.
            await session.execute(update(table).where(*is_open).values(game_version=game.version))
            return
        # What may have been sent is left to the bot, which finds out whether it was.
        if (await session.scalars(select_in_doubt([row.id]))).first() is not None:
            if planned is not None and planned > moment and not is_of_start:
                raise TransientError("an earlier nudge is being sent")
            return
        outcome, detail = Outcome.SUPERSEDED, f"the game changed (version {game.version})"
        await settle_and_log(session, table, [row.id], outcome=outcome, detail=detail, was_attempted=False)
    await add_nudges(session, [game], moment=moment)


async def add_nudges(session: AsyncSession, games: Sequence[Game], *, moment: datetime) -> None:
    """Write the nudges of locked games, but none in the past.

    As a reminder, one that was superseded is reopened together with its ledger, so that it is sent at most once.
    """
    table = NotificationSchedule
    rows = [row for game in games if (row := _make_row(game, moment=moment)) is not None]
    await write_or_reopen(session, NotificationKind.NUDGE, rows, identity=(table.game_id, table.game_scheduled_at))


def _make_row(game: Game, *, moment: datetime) -> dict[str, Any] | None:
    planned = planned_nudge(game)
    if planned is None or planned <= moment:
        return None
    return {
        "id": new_id(),
        "game_id": game.id,
        "game_version": game.version,
        "kind": NotificationKind.NUDGE,
        "game_scheduled_at": game.scheduled_at,
        "due_at": planned,
        "attempt_at": planned,
    }
