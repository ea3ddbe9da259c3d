"""Users' DM preferences and closed DMs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import User


async def set_dm_preference(session: AsyncSession, user_id: int, *, wants_dm: bool) -> None:
    """Record whether a user wants DMs. Closed DMs are tried again."""
    await _upsert(session, user_id, wants_dm=wants_dm, dms_closed_at=None)


async def is_reached_by_dm(session: AsyncSession, user_id: int) -> bool:
    """Return whether a user gets DMs, and not mentions in the channel."""
    gets_dms = select(User.user_id).where(User.user_id == user_id, User.wants_dm, User.dms_closed_at.is_(None))
    return (await session.execute(gets_dms)).scalar_one_or_none() is not None


async def mark_dms_closed(session: AsyncSession, user_id: int) -> None:
    """Record closed DMs, so that the user is mentioned in the channel from now on."""
    await _upsert(session, user_id, dms_closed_at=func.clock_timestamp())


async def remember_dm_channel(session: AsyncSession, user_id: int, *, channel_id: int) -> None:
    """Record a user's DM channel, because Discord limits how often a bot opens one."""
    await _upsert(session, user_id, dm_channel_id=channel_id)


async def forget_dm_channel(session: AsyncSession, user_id: int) -> None:
    """Forget a user's DM channel, which Discord does not know."""
    await session.execute(update(User).where(User.user_id == user_id).values(dm_channel_id=None))


async def find_dm_channel(session: AsyncSession, user_id: int) -> int | None:
    """Return a user's DM channel, or None if it was never opened."""
    return (await session.execute(select(User.dm_channel_id).where(User.user_id == user_id))).scalar_one_or_none()


async def _upsert(session: AsyncSession, user_id: int, **values: Any) -> None:
    await session.execute(
        insert(User).values(user_id=user_id, **values).on_conflict_do_update(index_elements=["user_id"], set_=values)
    )
