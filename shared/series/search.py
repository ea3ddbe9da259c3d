"""Finds the series of a server."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import GameSeries, SeriesState

RUNNING = frozenset({SeriesState.ACTIVE, SeriesState.PAUSED})


async def find_series(session: AsyncSession, series_id: UUID, *, guild_id: int) -> GameSeries | None:
    """Return a server's series, or None."""
    found = await session.get(GameSeries, series_id)
    return found if found is not None and found.guild_id == guild_id else None


async def search_series(
    session: AsyncSession,
    guild_id: int,
    text: str = "",
    *,
    states: Collection[SeriesState] = frozenset(SeriesState),
    host_id: int | None = None,
    limit: int,
) -> Sequence[GameSeries]:
    """Return the series with a text in their title: an exact title first, then active ones, then the newest.

    `host_id` leaves out the series of other hosts.
    """
    statement = select(GameSeries).where(GameSeries.guild_id == guild_id, GameSeries.state.in_(states))
    if text:
        statement = statement.where(GameSeries.title.icontains(text, autoescape=True))
    if host_id is not None:
        statement = statement.where(GameSeries.host_id == host_id)
    order = case({state.value: number for number, state in enumerate(SeriesState)}, value=GameSeries.state)
    is_exact = func.lower(GameSeries.title) == text.lower()
    statement = statement.order_by(is_exact.desc(), order, GameSeries.id.desc()).limit(limit)
    return (await session.scalars(statement)).all()
