"""Applies statuses to games, in batches because many begin at the full hour. A separate notice shows them.

The transaction that completes a game of a series makes the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, column, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery.batch import LOCKED, Batch, GameLock
from shared import metrics, sql
from shared.database import Sessions
from shared.messaging.envelope import AnyEvent
from shared.models import Game, GameStatus, GameStatusSchedule, Outcome
from shared.schedule.notices import refresh_announcement
from shared.schedule.settle import Settlement, log_settled, settle, wait_until_due
from shared.series.occurrences import leave_out_changing, lock_series, open_occurrences

_ORDER = list(GameStatus)
_SQL = sql.load("delivery")
_LOCK_GAMES = {
    wait: select(Game).from_statement(text(statement).columns(*Game.__table__.columns))
    for wait, statement in sql.lock_variants(_SQL["lock_games_to_change"]).items()
}
_CHECKED_AT = column("checked_at", DateTime(timezone=True))
_OPEN_TRANSITIONS = select(GameStatusSchedule, _CHECKED_AT).from_statement(
    _SQL["open_transitions"].columns(*GameStatusSchedule.__table__.columns, _CHECKED_AT)
)


class TransitionHandler:
    """Handles `StatusTransitionDue`."""

    def __init__(self, sessions: Sessions) -> None:
        self._apply: Batch[UUID, bool] = Batch(sessions, apply_transitions)

    async def apply_transition(self, event: AnyEvent) -> bool:
        """Commit the status, unless the game has passed it. Return whether there was anything to do."""
        return await self._apply(event.row_id)


async def apply_transitions(session: AsyncSession, ids: Sequence[UUID], *, wait: bool = False) -> list[GameLock | bool]:
    """Commit the statuses that their games have not passed.

    Unless `wait`, locked games and series are left out, and series of users whose settings are changing.

    A result is False for a row that is settled, deleted, not due yet, or of a status that only a newer release knows.

    Statuses only move forward, so a late or reordered message does no harm.
    """
    row_ids = list(set(ids))
    games = {game.id: game for game in await session.scalars(_LOCK_GAMES[wait], {"ids": row_ids})}
    rows = (await session.execute(_OPEN_TRANSITIONS, {"ids": row_ids, "kinds": _ORDER})).all()
    ending = {row.game_id for row, _ in rows if row.target_status.is_final} & games.keys()
    series_ids = {series_id for game_id in ending if (series_id := games[game_id].series_id) is not None}
    series = await lock_series(session, series_ids, wait=wait)
    if series and not wait:
        series = await leave_out_changing(session, series, ending=ending)
    games = {
        game_id: game for game_id, game in games.items() if game_id not in ending or game.series_id in (None, *series)
    }
    settlements = {row.id: _apply(row, games[row.game_id]) for row, _ in rows if row.game_id in games}
    applied = [
        row.game_id for row, _ in rows if row.id in settlements and settlements[row.id].outcome is Outcome.APPLIED
    ]
    if applied:
        await refresh_announcement(session, *(games[game_id] for game_id in dict.fromkeys(applied)))
    await open_occurrences(session, series.values())
    await _settle(session, settlements, {row.id: _measure_latency(row, now) for row, now in rows})
    if missing := set(row_ids) - {row.id for row, _ in rows}:
        await wait_until_due(session, GameStatusSchedule, missing)
    found = {row.id: row.game_id in games for row, _ in rows}
    return [LOCKED if id_ in found and not found[id_] else id_ in found for id_ in ids]


def _apply(row: GameStatusSchedule, game: Game) -> Settlement:
    if row.game_version != game.version:
        return Settlement(Outcome.SUPERSEDED, f"the game changed (version {game.version})")
    if _ORDER.index(row.target_status) <= _ORDER.index(game.status):
        return Settlement(Outcome.SUPERSEDED, f"the game is {game.status} already")
    game.status = row.target_status
    return Settlement(Outcome.APPLIED)


def _measure_latency(row: GameStatusSchedule, now: datetime) -> float:
    return (now - row.due_at).total_seconds()


async def _settle(
    session: AsyncSession, settlements: Mapping[UUID, Settlement], latencies: Mapping[UUID, float]
) -> None:
    for row in await settle(session, GameStatusSchedule, settlements):
        latency = latencies[row.id]
        if row.outcome is Outcome.APPLIED:
            metrics.DELIVERY_LATENCY.labels(metrics.TRANSITION).observe(max(0.0, latency))
        log_settled(row, latency_ms=round(latency * 1000))
