"""Makes the next games of series, in the transaction that ends the ones before.

All transactions lock games first, then series by id. The lock of a series and the unique index on its occurrences let
nobody make one twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database, sql
from shared.audit import record_made_games, record_series_change
from shared.models import (
    Answer,
    AuditAction,
    CoHost,
    ExceptionKind,
    Game,
    GameSeries,
    GameStatus,
    NotificationKind,
    Participant,
    Response,
    SeriesException,
    SeriesState,
    copy_details,
)
from shared.schedule.notices import add_notice
from shared.schedule.personal import share_settings, try_share_settings
from shared.schedule.populate import populate_new_games
from shared.series.planning import Plan, plan_occurrences, resolve
from shared.series.rule import Rule
from shared.slots import choose_slot, has_space, is_full

OPEN = (GameStatus.SCHEDULED, GameStatus.IN_PROGRESS)

_SQL = sql.load("series")


async def lock_series(session: AsyncSession, ids: Collection[UUID], *, wait: bool = True) -> dict[UUID, GameSeries]:
    """Return locked series. Those that somebody else has locked are left out unless `wait`."""
    if not ids:
        return {}
    statement = (
        select(GameSeries)
        .where(GameSeries.id.in_(ids))
        .order_by(GameSeries.id)
        .with_for_update(key_share=True, skip_locked=not wait)
        .execution_options(populate_existing=True)
    )
    return {series.id: series for series in await session.scalars(statement)}


async def leave_out_changing(
    session: AsyncSession, locked: Mapping[UUID, GameSeries], *, ending: Collection[UUID]
) -> dict[UUID, GameSeries]:
    """Leave out the series that need somebody whose settings are changing at this moment, when games have ended."""
    needed = {series.id: {series.host_id, *series.regulars} for series in locked.values()}
    players = (
        select(Game.series_id, Participant.user_id)
        .join(Participant, Participant.game_id == Game.id)
        .where(Game.id.in_(ending))
    )
    for series_id, user_id in await session.execute(players):
        if series_id in needed and locked[series_id].carries_roster:
            needed[series_id].add(user_id)
    changing = await try_share_settings(session, set().union(*needed.values()))
    return {series_id: series for series_id, series in locked.items() if changing.isdisjoint(needed[series_id])}


async def open_next(session: AsyncSession, game: Game) -> None:
    """Make what follows a locked game that is over, if it is of a series."""
    if game.series_id is not None:
        await open_occurrences(session, list((await lock_series(session, [game.series_id])).values()))


async def open_occurrences(session: AsyncSession, locked: Collection[GameSeries]) -> list[Game]:
    """Make as many games as series shall have open, record what was missed, and end a series that has no more."""
    active = [series for series in locked if series.state is SeriesState.ACTIVE]
    if not active:
        return []
    await session.flush()
    now = await database.now(session)
    open_counts = await _count_open(session, active)
    exceptions = await read_exceptions(session, active)
    games: list[Game] = []
    for series in active:
        wanted = max(0, series.open_ahead - open_counts[series.id])
        plan = plan_next(series, now=now, wanted=wanted, left_out=exceptions.get(series.id, {}))
        series.planned_until = max((series.planned_until, *plan.opened, *plan.missed))
        for local in plan.missed:
            session.add(SeriesException(series_id=series.id, occurrence=local, kind=ExceptionKind.MISSED))
        games.extend(make_game(series, local) for local in plan.opened)
        if plan.is_complete and not plan.opened and not open_counts[series.id]:
            series.state = SeriesState.ENDED
            await record_series_change(session, series, AuditAction.SERIES_ENDED, actor_id=None)
    session.add_all(games)
    await session.flush()
    if games:
        await _add_people(session, games, {series.id: series for series in active}, moment=now)
        await populate_new_games(session, games, moment=now)
        await add_notice(session, games, NotificationKind.ANNOUNCEMENT)
        await record_made_games(session, games)
    return games


def plan_next(series: GameSeries, *, now: datetime, wanted: int, left_out: Collection[datetime] = ()) -> Plan:
    """Return what follows in a series after what was made and missed."""
    return plan_occurrences(
        Rule.parse(series.rule),
        start=series.local_start,
        zone=ZoneInfo(series.zone),
        after=series.planned_until,
        now=now,
        wanted=wanted,
        left_out=left_out,
    )


async def read_exceptions(
    session: AsyncSession, many: Collection[GameSeries]
) -> dict[UUID, dict[datetime, ExceptionKind]]:
    """Return the dates that have no game, of each series."""
    statement = select(SeriesException).where(SeriesException.series_id.in_([series.id for series in many]))
    found: dict[UUID, dict[datetime, ExceptionKind]] = {}
    for row in await session.scalars(statement.order_by(SeriesException.occurrence)):
        found.setdefault(row.series_id, {})[row.occurrence] = row.kind
    return found


def make_game(series: GameSeries, occurrence: datetime) -> Game:
    """Return the game of an occurrence, which is not saved yet."""
    at = resolve(occurrence, ZoneInfo(series.zone))
    return Game(
        guild_id=series.guild_id,
        channel_id=series.channel_id,
        host_id=series.host_id,
        scheduled_at=at,
        zone=series.zone,
        local_time=at.astimezone(ZoneInfo(series.zone)).replace(tzinfo=None),
        series_id=series.id,
        occurrence=occurrence,
        series_rule=series.rule,
        **copy_details(series),
    )


async def count_missing(session: AsyncSession, series: GameSeries) -> int:
    """Return how many more games a series shall have open."""
    return max(0, series.open_ahead - (await _count_open(session, [series]))[series.id])


async def _count_open(session: AsyncSession, many: Sequence[GameSeries]) -> Counter[UUID]:
    statement = (
        select(Game.series_id, func.count())
        .where(Game.series_id.in_([series.id for series in many]), Game.status.in_(OPEN))
        .group_by(Game.series_id)
    )
    return Counter({series_id: count for series_id, count in await session.execute(statement) if series_id})


async def _add_people(
    session: AsyncSession, games: Sequence[Game], by_id: Mapping[UUID, GameSeries], *, moment: datetime
) -> None:
    """Give seats to the regulars, then to the players of the game before. Who finds none waits for one.

    Players get the slots that they had, if the new game has them. The co-hosts of the game before are co-hosts again.
    """
    players = {series.id: list(series.regulars) for series in by_id.values()}
    co_hosts: dict[UUID, list[int]] = {}
    slots: dict[UUID, dict[int, str | None]] = {}
    for series_id, user_id, slot, is_co_host in await session.execute(_SQL["people_before"], {"ids": list(by_id)}):
        if is_co_host:
            co_hosts.setdefault(series_id, []).append(user_id)
            continue
        slots.setdefault(series_id, {})[user_id] = slot
        if by_id[series_id].carries_roster:
            players[series_id].append(user_id)
    seats: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    helpers: list[dict[str, Any]] = []
    for game in games:
        if game.series_id is None:
            continue
        taken: dict[int, str | None] = {}
        for number, user_id in enumerate(dict.fromkeys(players[game.series_id])):
            slot = choose_slot(game.slots, slots.get(game.series_id, {}).get(user_id))
            name = None if slot is None else slot.name
            row = {"game_id": game.id, "user_id": user_id, "slot": name}
            at = moment + timedelta(microseconds=number)
            if not is_full(game, taken) and (slot is None or has_space(slot, taken)):
                taken[user_id] = name
                seats.append({**row, "joined_at": at})
            else:
                waiting.append({**row, "answer": Answer.WAITLISTED, "answered_at": at})
        others = (user_id for user_id in co_hosts.get(game.series_id, ()) if user_id != game.host_id)
        helpers.extend({"game_id": game.id, "user_id": user_id} for user_id in others)
    await share_settings(session, {*(row["user_id"] for row in seats), *(game.host_id for game in games)})
    for table, rows in ((Participant, seats), (Response, waiting), (CoHost, helpers)):
        if rows:
            await session.execute(insert(table), rows)
