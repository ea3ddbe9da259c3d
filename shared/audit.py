"""Records who changed what, in the transaction that changes it.

Entries are for people and decide nothing. They are kept for 90 days, or until their game or series is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared import sql
from shared.models import AuditAction, AuditEntry, Game, GameSeries, new_id

RETENTION = timedelta(days=90)

Changes = Mapping[str, tuple[Any, Any]]
"""What changed, by name, with the values before and after."""

_SQL = sql.load("audit")
_READ_GAME = _SQL["read_game_entries"].columns(detail=JSONB)
_READ_SERIES = _SQL["read_series_entries"].columns(detail=JSONB)
_READ_SETTINGS = _SQL["read_settings_entries"].columns(detail=JSONB)


class Entry(NamedTuple):
    """What somebody did. `actor_id` is None for the bot, and only a newer release may know the `action`."""

    actor_id: int | None
    action: str
    detail: Mapping[str, Any]
    at: datetime


async def record_game_change(
    session: AsyncSession,
    game: Game,
    action: AuditAction,
    *,
    actor_id: int | None,
    user_id: int | None = None,
    changes: Changes | None = None,
) -> None:
    """Record a change of a game, or what was done to the player, co-host or host `user_id`."""
    await _write(session, game.guild_id, action, game_id=game.id, actor_id=actor_id, user_id=user_id, changes=changes)


async def record_made_games(session: AsyncSession, games: Sequence[Game]) -> None:
    """Record that the bot made the next games of series, many in one statement."""
    entries = [{"id": new_id(), "guild_id": game.guild_id, "game_id": game.id} for game in games]
    await session.execute(insert(AuditEntry).values(action=AuditAction.CREATED.value), entries)


async def record_series_change(
    session: AsyncSession,
    series: GameSeries,
    action: AuditAction,
    *,
    actor_id: int | None,
    user_id: int | None = None,
    changes: Changes | None = None,
) -> None:
    """Record a change of a series, that it was handed over to `user_id`, or that this regular left."""
    await _write(
        session, series.guild_id, action, series_id=series.id, actor_id=actor_id, user_id=user_id, changes=changes
    )


async def record_settings_change(session: AsyncSession, guild_id: int, *, actor_id: int, changes: Changes) -> None:
    """Record a change of a server's settings."""
    await _write(session, guild_id, AuditAction.SETTINGS_CHANGED, actor_id=actor_id, changes=changes)


async def list_game_entries(session: AsyncSession, game_id: UUID, *, limit: int) -> Sequence[Entry]:
    """Return what was done with a game, and with its series meanwhile, the latest first."""
    found = await session.execute(_READ_GAME, {"game_id": game_id, "limit": limit})
    return [Entry(*row) for row in found]


async def list_series_entries(session: AsyncSession, series_id: UUID, *, limit: int) -> Sequence[Entry]:
    """Return what was done with a series, but not with its games, the latest first."""
    found = await session.execute(_READ_SERIES, {"series_id": series_id, "limit": limit})
    return [Entry(*row) for row in found]


async def list_settings_entries(session: AsyncSession, guild_id: int, *, limit: int) -> Sequence[Entry]:
    """Return who changed a server's settings, the latest first."""
    found = await session.execute(_READ_SETTINGS, {"guild_id": guild_id, "limit": limit})
    return [Entry(*row) for row in found]


async def purge_entries(session: AsyncSession, *, batch_size: int) -> int:
    """Delete a small batch of entries that are older than the retention period. Return how many it had."""
    parameters = {"retention": RETENTION, "batch_size": batch_size}
    return len((await session.execute(_SQL["purge_entries"], parameters)).all())


async def _write(
    session: AsyncSession,
    guild_id: int,
    action: AuditAction,
    *,
    actor_id: int | None,
    game_id: UUID | None = None,
    series_id: UUID | None = None,
    user_id: int | None = None,
    changes: Changes | None = None,
) -> None:
    detail: dict[str, Any] = {}
    if user_id is not None:
        detail["user_id"] = user_id
    if changes:
        detail["changed"] = {name: [_to_json(value) for value in values] for name, values in changes.items()}
    parameters = {
        "id": new_id(),
        "guild_id": guild_id,
        "game_id": game_id,
        "series_id": series_id,
        "actor_id": actor_id,
        "action": action.value,
        "detail": json.dumps(detail),
    }
    await session.execute(_SQL["write_entry"], parameters)


def _to_json(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case tuple():
            return list(value)
    return value
