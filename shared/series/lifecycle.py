"""What a host does with a series, in the caller's transaction."""

from __future__ import annotations

import enum
from collections.abc import Collection
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.audit import record_series_change
from shared.errors import PermanentError, TransientError
from shared.games import cancel_game
from shared.models import (
    AuditAction,
    ExceptionKind,
    Game,
    GameSeries,
    GameStatus,
    SeriesException,
    SeriesState,
    copy_details,
)
from shared.schedule.populate import lock_game
from shared.series.occurrences import OPEN, lock_series, open_occurrences, plan_next, read_exceptions
from shared.series.planning import plan_occurrences, resolve
from shared.series.rule import Rule

_DATES_SHOWN = 10


class SkipResult(enum.Enum):
    """Result of `skip_occurrence`."""

    CANCELLED = "cancelled"
    """The game was planned, and its players are notified."""
    LEFT_OUT = "left out"
    ALREADY_LEFT_OUT = "already left out"
    STARTED = "started"
    NO_SUCH_DATE = "no such date"


async def start_series(session: AsyncSession, game: Game, rule: Rule) -> GameSeries:
    """Make a game, which this transaction created, the first one of a series."""
    if game.series_id is not None:
        return (await lock_series(session, [game.series_id]))[game.series_id]
    series = GameSeries(
        guild_id=game.guild_id,
        channel_id=game.channel_id,
        host_id=game.host_id,
        zone=game.zone,
        rule=str(rule),
        local_start=game.local_time,
        planned_until=game.local_time,
        **copy_details(game),
    )
    session.add(series)
    await session.flush()
    game.series_id, game.occurrence, game.series_rule = series.id, game.local_time, series.rule
    await session.flush()
    await record_series_change(session, series, AuditAction.SERIES_STARTED, actor_id=game.host_id)
    return series


async def lock_series_games(session: AsyncSession, series_id: UUID) -> tuple[GameSeries, list[Game]]:
    """Return a locked series and its open games, locked and in order.

    Raises:
        PermanentError: there is no such series.
        TransientError: a game was made meanwhile. The transaction can be repeated.
    """
    is_open = (Game.series_id == series_id, Game.status.in_(OPEN))
    ids = set(await session.scalars(select(Game.id).where(*is_open)))
    games = [await lock_game(session, game_id) for game_id in sorted(ids)]
    series = (await lock_series(session, [series_id])).get(series_id)
    if series is None:
        raise PermanentError(f"there is no series {series_id}")
    if set(await session.scalars(select(Game.id).where(*is_open))) - ids:
        raise TransientError("the next game of the series has just been made")
    return series, sorted(
        (game for game in games if game.status in OPEN), key=lambda game: game.occurrence or game.local_time
    )


async def list_next(
    session: AsyncSession, series: GameSeries, *, limit: int = _DATES_SHOWN
) -> dict[datetime, Game | None]:
    """Return the next occurrences by their local times, with the games that are planned already."""
    return (await list_next_of_many(session, [series], limit=limit))[series.id]


async def list_next_of_many(
    session: AsyncSession, many: Collection[GameSeries], *, limit: int
) -> dict[UUID, dict[datetime, Game | None]]:
    """Return the next occurrences of each series. Many series take as few statements as one."""
    found: dict[UUID, dict[datetime, Game | None]] = {series.id: {} for series in many}
    is_planned = (Game.series_id.in_(found), Game.status == GameStatus.SCHEDULED)
    for game in await session.scalars(select(Game).where(*is_planned)):
        if game.series_id is not None and game.occurrence is not None:
            found[game.series_id][game.occurrence] = game
    exceptions, now = await read_exceptions(session, many), await database.now(session)
    for series in many:
        if series.state is SeriesState.ACTIVE:
            plan = plan_next(series, now=now, wanted=limit, left_out=exceptions.get(series.id, {}))
            found[series.id] |= dict.fromkeys(plan.opened)
    return {series_id: dict(sorted(dates.items())[:limit]) for series_id, dates in found.items()}


async def skip_occurrence(
    session: AsyncSession, series_id: UUID, occurrence: datetime | None = None, *, actor_id: int | None = None
) -> SkipResult:
    """Leave out an occurrence, the next one by default. If its game is planned, it is cancelled."""
    series, games = await lock_series_games(session, series_id)
    if occurrence is None:
        upcoming = list(await list_next(session, series, limit=1))
        if not upcoming:
            return SkipResult.NO_SUCH_DATE
        occurrence = upcoming[0]
    for game in games:
        if game.occurrence == occurrence:
            if game.status is not GameStatus.SCHEDULED:
                return SkipResult.STARTED
            await _add_exception(session, series, occurrence)
            await _record_skip(session, series, occurrence, actor_id=actor_id)
            await cancel_game(session, game.id, actor_id=actor_id)
            return SkipResult.CANCELLED
    if occurrence <= series.planned_until:
        return SkipResult.NO_SUCH_DATE
    dates = Rule.parse(series.rule).local_times(series.local_start, after=series.planned_until)
    if next((local for local in dates if local >= occurrence), None) != occurrence:
        return SkipResult.NO_SUCH_DATE
    if not await _add_exception(session, series, occurrence):
        return SkipResult.ALREADY_LEFT_OUT
    await _record_skip(session, series, occurrence, actor_id=actor_id)
    return SkipResult.LEFT_OUT


async def pause_series(session: AsyncSession, series_id: UUID, *, actor_id: int | None = None) -> bool:
    """Make no more games until the series is resumed. Return False if none are made already."""
    series = (await lock_series(session, [series_id]))[series_id]
    if series.state is not SeriesState.ACTIVE:
        return False
    series.state = SeriesState.PAUSED
    await record_series_change(session, series, AuditAction.SERIES_PAUSED, actor_id=actor_id)
    return True


async def end_series(session: AsyncSession, series_id: UUID, *, actor_id: int | None = None) -> bool:
    """Make no more games. Those that are open stay. Return False if it has ended already."""
    series = (await lock_series(session, [series_id]))[series_id]
    if series.state is SeriesState.ENDED:
        return False
    series.state = SeriesState.ENDED
    series.pause_reason = None
    await record_series_change(session, series, AuditAction.SERIES_ENDED, actor_id=actor_id)
    return True


async def resume_series(
    session: AsyncSession, series_id: UUID, *, actor_id: int | None = None
) -> tuple[bool, list[Game]]:
    """Make games again, from the next future date on. Return whether it has one, and the games that were made.

    Dates that passed while no games were made count as skipped. On an active series it makes the games that are
    missing, which happens only after a release that knows no series has completed one.
    """
    series, games = await lock_series_games(session, series_id)
    now = await database.now(session)
    if series.state is not SeriesState.ACTIVE:
        plan = plan_occurrences(
            Rule.parse(series.rule),
            start=series.local_start,
            zone=ZoneInfo(series.zone),
            after=series.planned_until,
            now=now,
            wanted=1,
        )
        if plan.is_complete and not plan.opened and not games:
            return False, []
        for local in plan.missed:
            await _add_exception(session, series, local)
        series.planned_until = max((series.planned_until, *plan.missed))
        series.state = SeriesState.ACTIVE
        series.pause_reason = None
        await record_series_change(session, series, AuditAction.SERIES_RESUMED, actor_id=actor_id)
    made = await open_occurrences(session, [series])
    return series.state is SeriesState.ACTIVE, made


async def _add_exception(session: AsyncSession, series: GameSeries, occurrence: datetime) -> bool:
    """Record that a date has no game. Return False if it has none already."""
    added = await session.execute(
        insert(SeriesException)
        .values(series_id=series.id, occurrence=occurrence, kind=ExceptionKind.SKIPPED)
        .on_conflict_do_nothing()
        .returning(SeriesException.occurrence)
    )
    return added.scalar_one_or_none() is not None


async def _record_skip(
    session: AsyncSession, series: GameSeries, occurrence: datetime, *, actor_id: int | None
) -> None:
    at = resolve(occurrence, ZoneInfo(series.zone))
    changes = {"date": (at, None)}
    await record_series_change(session, series, AuditAction.DATE_SKIPPED, actor_id=actor_id, changes=changes)
