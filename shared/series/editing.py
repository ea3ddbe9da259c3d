"""Changes of a series, which apply to all games from now on."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.audit import record_series_change
from shared.editing import DetailsEdit, EditResult, GameEdit, compare, edit_game, list_changes
from shared.models import DETAILS, AuditAction, Game, GameSeries, GameStatus, SeriesException
from shared.schedule.notices import refresh_announcement
from shared.series.lifecycle import lock_series_games
from shared.series.occurrences import open_occurrences
from shared.series.planning import resolve
from shared.series.rule import Rule


@dataclass(frozen=True, kw_only=True)
class SeriesEdit(DetailsEdit):
    """What changes of a series and its games."""

    clock: time | None = None
    """The time of day. A game that was moved keeps its time."""
    rule: Rule | None = None
    """It starts with the first open game that fits it, else after them. These stay where they are."""
    open_ahead: int | None = None
    carries_roster: bool | None = None
    regulars: tuple[int, ...] | None = None


async def edit_series(
    session: AsyncSession, series_id: UUID, edit: SeriesEdit, *, actor_id: int | None = None
) -> EditResult:
    """Change a series and its games that have not started, whose players are notified of a new time.

    After a refusal, the caller has to roll back.
    """
    series, open_games = await lock_series_games(session, series_id)
    games = [game for game in open_games if game.status is GameStatus.SCHEDULED]
    for game in games:
        result = await edit_game(session, game.id, _edit_of_game(series, game, edit), actor_id=actor_id)
        if result in (EditResult.IN_THE_PAST, EditResult.TOO_FEW_SEATS, EditResult.SLOT_TAKEN):
            return result
    before = _read_values(series)
    _change_details(series, edit)
    if edit.clock is not None:
        await _change_clock(session, series, games, edit.clock)
    if edit.rule is not None:
        await _change_rule(session, series, games, edit.rule)
    after = _read_values(series)
    changes = {name: value for name, value in after.items() if value != before[name]}
    if changes:
        recorded = compare(before, changes)
        await record_series_change(session, series, AuditAction.SERIES_EDITED, actor_id=actor_id, changes=recorded)
    await open_occurrences(session, [series])
    return EditResult.CHANGED


def _edit_of_game(series: GameSeries, game: Game, edit: SeriesEdit) -> GameEdit:
    """Return what changes in a game. What its host changed in this game alone changes only if the series' does."""
    scheduled_at = None
    zone = ZoneInfo(series.zone)
    if edit.clock is not None and game.occurrence is not None and game.scheduled_at == resolve(game.occurrence, zone):
        scheduled_at = resolve(datetime.combine(game.occurrence, edit.clock), zone)
    return GameEdit(scheduled_at=scheduled_at, **_read_details(edit))


def _change_details(series: GameSeries, edit: SeriesEdit) -> None:
    """Change what does not depend on the dates."""
    changes = list_changes(series, DetailsEdit(**_read_details(edit)))
    if edit.regulars is not None:
        changes["regulars"] = list(edit.regulars)
    changes |= {name: value for name in ("open_ahead", "carries_roster") if (value := getattr(edit, name)) is not None}
    for name, value in changes.items():
        setattr(series, name, value)


def _read_details(edit: DetailsEdit) -> dict[str, Any]:
    return {field.name: getattr(edit, field.name) for field in fields(DetailsEdit)}


def _read_values(series: GameSeries) -> dict[str, Any]:
    """Return what an edit can change, by name."""
    names = (*DETAILS, "rule", "open_ahead", "carries_roster", "regulars")
    return {name: getattr(series, name) for name in names} | {"clock": f"{series.local_start:%H:%M}"}


async def _change_clock(session: AsyncSession, series: GameSeries, games: list[Game], clock: time) -> None:
    """Give all dates another time of day: those that are past too, so that none is made again."""
    dates = select(SeriesException).where(SeriesException.series_id == series.id)
    for exception in list(await session.scalars(dates)):
        exception.occurrence = datetime.combine(exception.occurrence, clock)
    series.local_start = datetime.combine(series.local_start, clock)
    series.planned_until = datetime.combine(series.planned_until, clock)
    for game in games:
        if game.occurrence is not None:
            game.occurrence = datetime.combine(game.occurrence, clock)
    await session.flush()


async def _change_rule(session: AsyncSession, series: GameSeries, games: list[Game], rule: Rule) -> None:
    unlimited = replace(rule, count=None, until=None)
    planned = (game.occurrence for game in games if game.occurrence is not None)
    start = next((local for local in planned if next(unlimited.local_times(local)) == local), None)
    if start is None:
        now = (await database.now(session)).astimezone(ZoneInfo(series.zone)).replace(tzinfo=None)
        earliest = datetime.combine(max(series.planned_until, now), series.planned_until.time())
        start = next(local for local in unlimited.local_times(earliest) if local > max(series.planned_until, now))
    series.rule, series.local_start = str(rule), start
    await session.execute(
        delete(SeriesException).where(
            SeriesException.series_id == series.id, SeriesException.occurrence > series.planned_until
        )
    )
    for game in games:
        game.series_rule = series.rule
    await refresh_announcement(session, *games)
