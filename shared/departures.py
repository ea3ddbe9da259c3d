"""Finds what users have on a server, for those who leave it. Each game and series is changed on its own."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import sql
from shared.audit import record_series_change
from shared.models import AuditAction
from shared.series.occurrences import lock_series

_SQL = sql.load("games")


async def find_games_of(session: AsyncSession, *, guild_id: int, user_id: int) -> Sequence[UUID]:
    """Return the open games of a server in which a user has a seat, or which they have answered, soonest first."""
    found = await session.scalars(_SQL["find_games_of_member"], {"guild_id": guild_id, "user_id": user_id})
    return found.all()


async def find_series_of(session: AsyncSession, *, guild_id: int, user_id: int) -> Sequence[UUID]:
    """Return the series of a server of which a user is a regular."""
    found = await session.scalars(_SQL["find_series_of_regular"], {"guild_id": guild_id, "user_id": user_id})
    return found.all()


async def list_people(session: AsyncSession, *, guild_id: int) -> Sequence[int]:
    """Return the users of whom a server's open games and series know."""
    return (await session.scalars(_SQL["list_people_of_server"], {"guild_id": guild_id})).all()


async def remove_regular(session: AsyncSession, *, series_id: UUID, user_id: int) -> None:
    """Sign a user who left the server up for no more games of a series."""
    series = (await lock_series(session, [series_id])).get(series_id)
    if series is None or user_id not in series.regulars:
        return
    series.regulars = [regular for regular in series.regulars if regular != user_id]
    await record_series_change(session, series, AuditAction.LEFT_SERVER, actor_id=None, user_id=user_id)
