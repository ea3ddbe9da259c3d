"""A game's rows: each reminder and status transition is written exactly once.

Every change of a game's time, reminders or status goes through `populate_schedule`. Rewriting all rows was rejected: a
row in flight would be delivered again under a new id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.errors import PermanentError
from shared.models import (
    Game,
    GameStatus,
    GameStatusSchedule,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    new_id,
)
from shared.schedule.minimum import add_minimums, populate_minimum
from shared.schedule.notices import select_in_doubt
from shared.schedule.notify import notify_loops
from shared.schedule.nudges import add_nudges, populate_nudge
from shared.schedule.personal import populate_personal_reminders
from shared.schedule.reopen import write_or_reopen
from shared.schedule.settle import settle_and_log


async def lock_game(session: AsyncSession, game_id: UUID) -> Game:
    """Return a locked game. Every change of a game or its rows takes this lock first.

    Raises:
        PermanentError: there is no such game.
    """
    # The key stays free for foreign keys, which the record of a failed notice checks while it holds the notice's row.
    game = await session.get(Game, game_id, with_for_update={"key_share": True}, populate_existing=True)
    if game is None:
        raise PermanentError(f"there is no game {game_id}")
    return game


async def populate_schedule(session: AsyncSession, game_id: UUID) -> None:
    """Keep a game's valid open rows, supersede obsolete ones, and write missing ones, but no reminders in the past.

    Raises:
        PermanentError: there is no such game.
        TransientError: a nudge for another time may have been sent, and its result is not known yet.
    """
    game = await lock_game(session, game_id)
    await session.flush()
    moment = await database.now(session)
    await _populate_reminders(session, game, moment=moment)
    await populate_personal_reminders(session, [game.id])
    await populate_minimum(session, game, moment=moment)
    await populate_nudge(session, game, moment=moment)
    await _populate_transitions(session, game, moment=moment)
    await notify_loops(session)


async def populate_new_games(session: AsyncSession, games: Sequence[Game], *, moment: datetime) -> None:
    """Write the rows of games that have none yet. Many games take as few statements as one."""
    reminders = [row for game in games for row in _make_reminders(game, reminder_times(game, after=moment))]
    if reminders:
        await session.execute(insert(NotificationSchedule), reminders)
    await populate_personal_reminders(session, [game.id for game in games])
    await add_minimums(session, games, moment=moment)
    await add_nudges(session, games, moment=moment)
    session.add_all(
        _make_transition(game, status, due_at, moment=moment)
        for game in games
        for status, due_at in transition_times(game).items()
    )
    await session.flush()
    await notify_loops(session)


def reminder_times(game: Game, *, after: datetime) -> dict[int, datetime]:
    """Return the reminders' due times after a moment, by offset in minutes."""
    if game.status is not GameStatus.SCHEDULED:
        return {}
    times = {offset: game.scheduled_at - timedelta(minutes=offset) for offset in set(game.reminder_offsets)}
    return {offset: due_at for offset, due_at in times.items() if due_at > after}


def transition_times(game: Game) -> dict[GameStatus, datetime]:
    """Return the times of the remaining status changes."""
    times = {GameStatus.IN_PROGRESS: game.scheduled_at, GameStatus.COMPLETED: game.ends_at}
    if game.status.is_final:
        return {}
    if game.status is GameStatus.IN_PROGRESS:
        del times[GameStatus.IN_PROGRESS]
    return times


async def _populate_reminders(session: AsyncSession, game: Game, *, moment: datetime) -> None:
    table = NotificationSchedule
    wanted = reminder_times(game, after=moment)
    open_rows = await session.execute(
        select(table.id, table.game_scheduled_at, table.offset_minutes).where(
            table.game_id == game.id, table.kind == NotificationKind.REMINDER, table.settled_at.is_(None)
        )
    )
    valid_offsets = game.reminder_offsets if game.status is GameStatus.SCHEDULED else []
    obsolete = [
        row.id
        for row in open_rows
        if row.game_scheduled_at != game.scheduled_at or row.offset_minutes not in valid_offsets
    ]
    # What may have been sent is left to the bot, which finds out whether it was.
    in_doubt = set(await session.scalars(select_in_doubt(obsolete)))
    await _supersede(session, table, game, [row_id for row_id in obsolete if row_id not in in_doubt])
    # Rows that stay valid move to the new version, even if they are already in flight.
    await session.execute(
        update(table)
        .where(table.game_id == game.id, table.kind == NotificationKind.REMINDER, table.settled_at.is_(None))
        .where(table.game_scheduled_at == game.scheduled_at, table.offset_minutes.in_(valid_offsets))
        .values(game_version=game.version)
    )
    identity = (table.game_id, table.kind, table.offset_minutes, table.game_scheduled_at)
    await write_or_reopen(session, NotificationKind.REMINDER, _make_reminders(game, wanted), identity=identity)


def _make_reminders(game: Game, due_times: Mapping[int, datetime]) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id(),
            "game_id": game.id,
            "game_version": game.version,
            "kind": NotificationKind.REMINDER,
            "offset_minutes": offset,
            "game_scheduled_at": game.scheduled_at,
            "due_at": due_at,
            "attempt_at": due_at,
        }
        for offset, due_at in sorted(due_times.items())
    ]


async def _populate_transitions(session: AsyncSession, game: Game, *, moment: datetime) -> None:
    table = GameStatusSchedule
    wanted = transition_times(game)
    # Those of a newer release are left to it. They keep their version, which tells it that the game changed.
    open_and_known = (table.game_id == game.id, table.settled_at.is_(None), table.target_status.in_(list(GameStatus)))
    open_rows = (
        await session.execute(select(table.id, table.target_status, table.due_at).where(*open_and_known))
    ).all()
    kept = {row.target_status for row in open_rows if wanted.get(row.target_status) == row.due_at}
    await _supersede(session, table, game, [row.id for row in open_rows if row.target_status not in kept])
    await session.execute(update(table).where(*open_and_known).values(game_version=game.version))
    for status, due_at in wanted.items():
        if status not in kept:
            session.add(_make_transition(game, status, due_at, moment=moment))
    await session.flush()


def _make_transition(game: Game, status: GameStatus, due_at: datetime, *, moment: datetime) -> GameStatusSchedule:
    return GameStatusSchedule(
        game_id=game.id,
        game_version=game.version,
        target_status=status,
        due_at=due_at,
        attempt_at=max(due_at, moment),
    )


async def _supersede(
    session: AsyncSession, table: type[NotificationSchedule | GameStatusSchedule], game: Game, row_ids: Iterable[UUID]
) -> None:
    detail = f"the game changed (version {game.version})"
    await settle_and_log(session, table, row_ids, outcome=Outcome.SUPERSEDED, detail=detail, was_attempted=False)
