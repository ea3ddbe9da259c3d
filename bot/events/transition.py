"""A game takes a status. It has succeeded when the status is committed; showing it is a notice of its own.

Many sessions begin at the full hour, so statuses are committed many at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery.batch import Batch
from shared import database, metrics
from shared.database import Sessions, among
from shared.messaging.envelope import AnyEvent
from shared.models import Game, GameStatus, GameStatusSchedule, Outcome
from shared.schedule.notices import refresh_announcement
from shared.schedule.settle import Settlement, log_settled, settle

Row = GameStatusSchedule
_ORDER = list(GameStatus)


class ApplyTransition:
    """Handles `StatusTransitionDue`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._apply: Batch[AnyEvent, bool] = Batch(sessions, apply_transitions)

    async def __call__(self, event: AnyEvent) -> None:
        """Commit the status, if it is still ahead of the game."""
        if not await self._apply(event):
            async with database.transaction(self._sessions) as session:
                await apply_transitions(session, [event], wait=True)


async def apply_transitions(session: AsyncSession, events: Sequence[AnyEvent], *, wait: bool = False) -> list[bool]:
    """Commit the statuses that are still ahead of their games; return of each event whether it was dealt with.

    A game that somebody is changing this moment is left out, unless `wait`. A game that is due to end before anyone saw
    it begin goes straight to its end: statuses only move forward, so what comes late and out of order does no harm.
    """
    statement = (
        select(Game).where(among(Game.id, {event.game_id for event in events})).order_by(Game.id)
    ).with_for_update(skip_locked=not wait)
    games = {game.id: game for game in (await session.execute(statement)).scalars()}
    rows = (
        await session.execute(
            select(Row, func.clock_timestamp())
            .where(among(Row.id, {event.row_id for event in events}), Row.settled_at.is_(None))
            .order_by(Row.due_at)
        )
    ).all()
    await _settle_all(session, [_Ended.of(row, games[row.game_id], now) for row, now in rows if row.game_id in games])
    locked = {row.id for row, _ in rows if row.game_id not in games}
    return [event.row_id not in locked for event in events]


@dataclass(frozen=True)
class _Ended:
    row: GameStatusSchedule
    game: Game
    outcome: Outcome
    detail: str | None
    late: float

    @classmethod
    def of(cls, row: GameStatusSchedule, game: Game, now: datetime) -> _Ended:
        """Give a game the status that a row asks for, if that still holds."""
        outcome, detail = Outcome.APPLIED, None
        if row.game_version != game.version:
            outcome, detail = Outcome.SUPERSEDED, f"the session changed (version {game.version})"
        elif _ORDER.index(row.target_status) <= _ORDER.index(game.status):
            outcome, detail = Outcome.SUPERSEDED, f"the session is {game.status} already"
        else:
            game.status = row.target_status
        return cls(row, game, outcome, detail, (now - row.due_at).total_seconds())


async def _settle_all(session: AsyncSession, ended: Sequence[_Ended]) -> None:
    changed = {one.game.id: one.game for one in ended if one.outcome is Outcome.APPLIED}
    if changed:
        await refresh_announcement(session, *changed.values())
    settlements = {one.row.id: Settlement(one.outcome, one.detail) for one in ended}
    lateness = {one.row.id: one.late for one in ended}
    for row in await settle(session, Row, settlements):
        late = lateness[row.id]
        if row.outcome is Outcome.APPLIED:
            metrics.DELIVERY_LATENCY.labels(metrics.TRANSITION).observe(max(0.0, late))
        log_settled(row, latency_ms=round(late * 1000))
