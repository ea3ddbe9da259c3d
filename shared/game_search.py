"""Finds and counts the open games of a server or a user, with statements whose cost is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared import sql
from shared.models import LONGEST_DURATION, Guild

LIST_LIMIT = 25

_SQL = sql.load("games")
_LIKE_SYNTAX = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


class FoundGame(NamedTuple):
    """A game that was looked for."""

    id: UUID
    title: str
    scheduled_at: datetime


@dataclass(frozen=True)
class ListedGame:
    """A game in the list, with the number of its players."""

    guild_id: int
    channel_id: int
    message_id: int | None
    title: str
    scheduled_at: datetime
    capacity: int | None
    player_count: int


@dataclass(frozen=True)
class OwnGame(ListedGame):
    """A game that a user hosts, or has answered."""

    guild_name: str | None
    is_host: bool
    answer: str | None
    """None if a host has not answered."""


class OpenGames(NamedTuple):
    """How many games are open."""

    on_server: int
    of_host: int


async def search_games(
    session: AsyncSession, guild_id: int, text: str, *, limit: int, host_id: int | None = None, is_over: bool = False
) -> Sequence[FoundGame]:
    """Return a server's open games with a text in their title, soonest first. An exact title comes before all others.

    `host_id` leaves out the games of which they are neither host nor co-host. `is_over` finds
    cancelled games and those of the last two days too.
    """
    parameters = {
        "guild_id": guild_id,
        "pattern": f"%{text.translate(_LIKE_SYNTAX)}%",
        "title": text,
        "host_id": host_id,
        "is_over": is_over,
        "limit": limit,
    }
    return [FoundGame(*row) for row in await session.execute(_SQL["search_games"], parameters)]


async def list_games(session: AsyncSession, guild_id: int, *, limit: int = LIST_LIMIT) -> Sequence[ListedGame]:
    """Return a server's open games, soonest first."""
    found = await session.execute(_SQL["list_games"], {"guild_id": guild_id, "limit": limit})
    return [ListedGame(*row) for row in found]


async def list_own_games(
    session: AsyncSession, user_id: int, *, guild_id: int | None, limit: int = LIST_LIMIT
) -> Sequence[OwnGame]:
    """Return the open games that a user hosts or has answered, soonest first: of all servers without `guild_id`."""
    parameters = {"user_id": user_id, "guild_id": guild_id, "limit": limit}
    return [OwnGame(*row) for row in await session.execute(_SQL["list_own_games"], parameters)]


async def find_overlap(session: AsyncSession, game_id: UUID, *, user_id: int) -> FoundGame | None:
    """Return the soonest open game at the same time as this one in which a user has a seat, of any server."""
    found = await session.execute(
        _SQL["find_overlap"], {"game_id": game_id, "user_id": user_id, "longest": LONGEST_DURATION}
    )
    row = found.one_or_none()
    return None if row is None else FoundGame(*row)


async def count_open_games(session: AsyncSession, guild_id: int, *, host_id: int) -> OpenGames:
    """Count a server's open games. Until the transaction ends, nobody else counts them to create one."""
    await session.execute(insert(Guild).values(id=guild_id).on_conflict_do_nothing())
    await session.execute(_SQL["lock_guild"], {"guild_id": guild_id})
    counted = await session.execute(_SQL["count_open_games"], {"guild_id": guild_id, "host_id": host_id})
    return OpenGames(*counted.one())
