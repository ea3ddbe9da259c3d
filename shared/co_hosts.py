"""The co-hosts of a game, who may change it as its host may."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.audit import record_game_change
from shared.models import AuditAction, CoHost
from shared.schedule.notices import refresh_announcement
from shared.schedule.populate import lock_game


async def add_co_host(session: AsyncSession, game_id: UUID, *, user_id: int, actor_id: int) -> bool:
    """Make a user a co-host. Return False if they are one."""
    game = await lock_game(session, game_id)
    added = insert(CoHost).values(game_id=game_id, user_id=user_id).on_conflict_do_nothing().returning(CoHost.user_id)
    if (await session.execute(added)).scalar_one_or_none() is None:
        return False
    await record_game_change(session, game, AuditAction.CO_HOST_ADDED, actor_id=actor_id, user_id=user_id)
    await refresh_announcement(session, game)
    return True


async def remove_co_host(session: AsyncSession, game_id: UUID, *, user_id: int, actor_id: int) -> bool:
    """Make a user a co-host no longer. Return False if they are none."""
    game = await lock_game(session, game_id)
    removed = delete(CoHost).where(CoHost.game_id == game_id, CoHost.user_id == user_id).returning(CoHost.user_id)
    if (await session.execute(removed)).scalar_one_or_none() is None:
        return False
    await record_game_change(session, game, AuditAction.CO_HOST_REMOVED, actor_id=actor_id, user_id=user_id)
    await refresh_announcement(session, game)
    return True


async def list_co_hosts(session: AsyncSession, game_id: UUID) -> list[int]:
    """Return a game's co-hosts, the first added first."""
    statement = select(CoHost.user_id).where(CoHost.game_id == game_id).order_by(CoHost.added_at, CoHost.user_id)
    return list((await session.execute(statement)).scalars())


async def is_co_host(session: AsyncSession, game_id: UUID, *, user_id: int) -> bool:
    """Return whether a user is a co-host of a game."""
    statement = select(CoHost.user_id).where(CoHost.game_id == game_id, CoHost.user_id == user_id)
    return (await session.execute(statement)).scalar_one_or_none() is not None
