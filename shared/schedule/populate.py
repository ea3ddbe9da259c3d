"""What a game needs to be scheduled for it, written once and only once.

Everything that changes a game's time, its reminders or its cancellation goes through `populate_schedule`. Deleting and
writing anew was rejected: a row that is in flight would be told again under a new id. Rows that still hold are kept,
rows that do not are settled `superseded`, and only what is missing is written.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database, logs, metrics
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
from shared.schedule import wake
from shared.schedule.settle import source_of


async def lock_game(session: AsyncSession, game_id: UUID) -> Game:
    """Return the game, locked until the transaction ends. Every change of a game or its rows takes this lock first.

    Raises:
        PermanentError: there is no such game.
    """
    game = await session.get(Game, game_id, with_for_update=True, populate_existing=True)
    if game is None:
        raise PermanentError(f"there is no game {game_id}")
    return game


async def populate_schedule(session: AsyncSession, game_id: UUID) -> None:
    """Make the open rows of a game be what its time, duration, offsets and status ask for.

    Offsets that are already past are not written. The caller's transaction decides: nothing is visible before it
    commits.

    Raises:
        PermanentError: there is no such game.
    """
    game = await lock_game(session, game_id)
    await session.flush()
    moment = await database.now(session)
    await _populate_reminders(session, game, moment=moment)
    await _populate_transitions(session, game, moment=moment)
    await wake.notify(session)


def reminder_times(game: Game, *, after: datetime) -> dict[int, datetime]:
    """Return when each of the game's reminders is due, by its offset in minutes, leaving out those already past."""
    if game.status is not GameStatus.SCHEDULED:
        return {}
    times = {offset: game.scheduled_at - timedelta(minutes=offset) for offset in set(game.reminder_offsets)}
    return {offset: due_at for offset, due_at in times.items() if due_at > after}


def transition_times(game: Game) -> dict[GameStatus, datetime]:
    """Return when the game must take each status that is still before it."""
    times = {GameStatus.IN_PROGRESS: game.scheduled_at, GameStatus.COMPLETED: game.ends_at}
    if game.status.is_final:
        return {}
    if game.status is GameStatus.IN_PROGRESS:
        del times[GameStatus.IN_PROGRESS]
    return times


async def _populate_reminders(session: AsyncSession, game: Game, *, moment: datetime) -> None:
    table = NotificationSchedule
    wanted = reminder_times(game, after=moment)
    await _supersede(
        session,
        table,
        game,
        table.kind == NotificationKind.REMINDER,
        or_(
            table.game_scheduled_at != game.scheduled_at,
            table.offset_minutes.not_in(game.reminder_offsets),
            literal(game.status is not GameStatus.SCHEDULED),
        ),
    )
    # What still holds is of the new version also when its time has come and it is on its way.
    await session.execute(
        update(table)
        .where(table.game_id == game.id, table.kind == NotificationKind.REMINDER, table.settled_at.is_(None))
        .values(game_version=game.version)
    )
    if not wanted:
        return
    rows = [
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
        for offset, due_at in sorted(wanted.items())
    ]
    statement = insert(table).values(rows)
    # A game that is moved away and back asks for a row that was superseded on the way: an identity is told once, so the
    # row is reopened with its ledger. This is the only write to a settled row.
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[table.game_id, table.kind, table.offset_minutes, table.game_scheduled_at],
            index_where=text("kind = 'reminder'"),  # no parameter: it must match the index
            set_={
                "game_version": statement.excluded.game_version,
                "attempt_at": statement.excluded.attempt_at,
                "settled_at": None,
                "outcome": None,
                "outcome_detail": None,
            },
            where=table.outcome == Outcome.SUPERSEDED,
        )
    )


async def _populate_transitions(session: AsyncSession, game: Game, *, moment: datetime) -> None:
    table = GameStatusSchedule
    wanted = transition_times(game)
    open_rows = (
        await session.execute(select(table).where(table.game_id == game.id, table.settled_at.is_(None)))
    ).scalars()
    kept = {row.target_status for row in open_rows if wanted.get(row.target_status) == row.due_at}
    await _supersede(session, table, game, table.target_status.not_in(kept))
    await session.execute(
        update(table).where(table.game_id == game.id, table.settled_at.is_(None)).values(game_version=game.version)
    )
    for status, due_at in wanted.items():
        if status not in kept:
            session.add(
                table(
                    game_id=game.id,
                    game_version=game.version,
                    target_status=status,
                    due_at=due_at,
                    attempt_at=max(due_at, moment),
                )
            )
    await session.flush()


async def _supersede(
    session: AsyncSession, table: type[NotificationSchedule | GameStatusSchedule], game: Game, *which: object
) -> None:
    detail = f"the session changed (version {game.version})"
    superseded = await session.execute(
        update(table)
        .where(table.game_id == game.id, table.settled_at.is_(None), *which)  # type: ignore[arg-type]  # conditions of either table
        .values(settled_at=func.clock_timestamp(), attempt_at=None, outcome=Outcome.SUPERSEDED, outcome_detail=detail)
        .returning(table.id, table.attempts)
        .execution_options(synchronize_session=False)
    )
    for row_id, attempts in superseded:
        metrics.SETTLED.labels(source_of(table), Outcome.SUPERSEDED).inc()
        logs.get().info(
            "Settled",
            action="settled",
            notification_id=str(row_id),
            game_id=str(game.id),
            attempt=attempts,
            outcome=Outcome.SUPERSEDED,
            detail=detail,
        )
