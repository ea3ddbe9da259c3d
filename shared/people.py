"""How people want to be told: what they asked for, and what Discord let us do."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import Person


async def want_dm(session: AsyncSession, user_id: int, *, wanted: bool) -> None:
    """Remember whether somebody wants direct messages; who asks for them anew is tried again."""
    await _write(session, user_id, wants_dm=wanted, dms_closed_at=None)


async def close_dms(session: AsyncSession, user_id: int) -> None:
    """Remember that somebody's direct messages are closed, so that they are told in the channel from now on."""
    await _write(session, user_id, dms_closed_at=func.clock_timestamp())


async def remember_dm_channel(session: AsyncSession, user_id: int, *, channel_id: int) -> None:
    """Remember where somebody's direct messages go: opening them is the scarce thing."""
    await _write(session, user_id, dm_channel_id=channel_id)


async def dm_channel(session: AsyncSession, user_id: int) -> int | None:
    """Return where somebody's direct messages go, None when they were never opened."""
    return (await session.execute(select(Person.dm_channel_id).where(Person.user_id == user_id))).scalar_one_or_none()


async def _write(session: AsyncSession, user_id: int, **values: Any) -> None:
    await session.execute(
        insert(Person).values(user_id=user_id, **values).on_conflict_do_update(index_elements=["user_id"], set_=values)
    )
