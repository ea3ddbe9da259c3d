"""The question to a host when too few players have a seat: a row that is due before the start.

It follows from the game, and is written and superseded with it. The bot counts the players when the row is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import Game, GameStatus, NotificationKind, NotificationSchedule, Outcome, new_id
from shared.schedule.notices import find_announcement_time, select_in_doubt
from shared.schedule.reopen import write_or_reopen
from shared.schedule.settle import settle_and_log

DEFAULT_MINUTES = 24 * 60
"""How long before the start the players are counted, unless the host says something else."""


def planned_count(game: Game, *, announce_at: datetime | None = None) -> datetime | None:
    """Return when the players of a game are to be counted, None if it needs no minimum or has started.

    Nobody can join a game that is yet to be announced, at `announce_at`. So they are counted halfway from then to the
    start if they would be counted earlier. None is a game that is announced already or at once.
    """
    if game.status is not GameStatus.SCHEDULED or game.minimum_players is None:
        return None
    planned = game.scheduled_at - timedelta(minutes=game.minimum_minutes or DEFAULT_MINUTES)
    # A game that starts before its announcement is announced at once.
    if announce_at is None or not planned <= announce_at < game.scheduled_at:
        return planned
    return announce_at + (game.scheduled_at - announce_at) / 2


async def populate_minimum(session: AsyncSession, game: Game, *, moment: datetime) -> None:
    """Supersede a locked game's obsolete question, and write the one that is missing.

    The players are counted once, unless the game is moved.
    """
    table = NotificationSchedule
    of_game = (table.game_id == game.id, table.kind == NotificationKind.MINIMUM)
    columns = (table.id, table.game_scheduled_at, table.due_at, table.settled_at)
    rows = (await session.execute(select(*columns).where(*of_game))).all()
    announce_at = None if game.minimum_players is None else await find_announcement_time(session, game.id)
    planned = planned_count(game, announce_at=announce_at)
    of_time = [row for row in rows if planned is not None and row.game_scheduled_at == game.scheduled_at]
    is_past = planned is not None and planned <= moment
    kept = {row.id for row in of_time if row.settled_at is None and (is_past or row.due_at == planned)}
    obsolete = [row.id for row in rows if row.settled_at is None and row.id not in kept]
    # What may have been sent is left to the bot, which finds out whether it was.
    in_doubt = set(await session.scalars(select_in_doubt(obsolete)))
    detail = f"the game changed (version {game.version})"
    given_up = [row_id for row_id in obsolete if row_id not in in_doubt]
    await settle_and_log(session, table, given_up, outcome=Outcome.SUPERSEDED, detail=detail, was_attempted=False)
    if kept:
        is_open = (table.id.in_(kept), table.settled_at.is_(None))  # its delivery may be recorded at this moment
        await session.execute(update(table).where(*is_open).values(game_version=game.version))
        return
    was_counted = any(row.settled_at is not None and row.settled_at >= row.due_at for row in of_time)
    if not was_counted:
        await add_minimums(session, [game], moment=moment, announce_at=announce_at)


async def add_minimums(
    session: AsyncSession, games: Sequence[Game], *, moment: datetime, announce_at: datetime | None = None
) -> None:
    """Write the questions of locked games: as planned, or halfway to the start if that is past.

    As a reminder, one that was superseded is reopened when its game is moved back.
    """
    table = NotificationSchedule
    rows = [row for game in games if (row := _make_row(game, moment, announce_at)) is not None]
    await write_or_reopen(session, NotificationKind.MINIMUM, rows, identity=(table.game_id, table.due_at))


def _make_row(game: Game, moment: datetime, announce_at: datetime | None) -> dict[str, Any] | None:
    planned = planned_count(game, announce_at=announce_at)
    if planned is None or game.scheduled_at <= moment:
        return None
    due_at = planned if planned > moment else moment + (game.scheduled_at - moment) / 2
    return {
        "id": new_id(),
        "game_id": game.id,
        "game_version": game.version,
        "kind": NotificationKind.MINIMUM,
        "game_scheduled_at": game.scheduled_at,
        "user_id": game.host_id,
        "due_at": due_at,
        "attempt_at": due_at,
    }
