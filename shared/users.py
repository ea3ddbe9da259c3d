"""Users' settings, which apply to all servers, and their DM channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import Guild, User
from shared.schedule.personal import lock_settings, populate_reminders_of_user

DEFAULT_ZONE = "UTC"


@dataclass(frozen=True, kw_only=True)
class OwnSettings:
    """A user's settings. A user without a row has the defaults."""

    zone: str | None = None
    wants_dm: bool = False
    has_closed_dms: bool = False
    extra_offset_minutes: int | None = None
    reminders_off: bool = False

    @property
    def is_reached_by_dm(self) -> bool:
        """Whether the user gets DMs, and not mentions in the channel."""
        return self.wants_dm and not self.has_closed_dms


async def read_own_settings(session: AsyncSession, user_id: int) -> OwnSettings:
    """Return a user's settings."""
    user = (await session.execute(select(User).where(User.user_id == user_id))).scalar_one_or_none()
    if user is None:
        return OwnSettings()
    return OwnSettings(
        zone=user.zone,
        wants_dm=user.wants_dm,
        has_closed_dms=user.dms_closed_at is not None,
        extra_offset_minutes=user.extra_offset_minutes,
        reminders_off=user.reminders_off,
    )


async def change_own_settings(session: AsyncSession, user_id: int, **changes: str | int | bool | None) -> OwnSettings:
    """Change some settings of a user, and return all. After a choice of where to be reminded, closed DMs are tried
    again. The user's personal reminders follow the settings.
    """
    await lock_settings(session, user_id)
    if "wants_dm" in changes:
        await set_dm_preference(session, user_id, wants_dm=bool(changes["wants_dm"]))
    await _upsert(session, user_id, **changes)
    if {"extra_offset_minutes", "reminders_off"} & changes.keys():
        await populate_reminders_of_user(session, user_id)
    return await read_own_settings(session, user_id)


async def find_zone(session: AsyncSession, user_id: int, *, guild_id: int) -> str:
    """Return the IANA zone in which a user's times are read: their own, else the server's."""
    own = select(User.zone).where(User.user_id == user_id).scalar_subquery()
    of_guild = select(Guild.zone).where(Guild.id == guild_id).scalar_subquery()
    zone: str = (await session.execute(select(func.coalesce(own, of_guild, DEFAULT_ZONE)))).scalar_one()
    return zone


async def set_dm_preference(session: AsyncSession, user_id: int, *, wants_dm: bool) -> None:
    """Record whether a user wants DMs. Closed DMs are tried again."""
    await _upsert(session, user_id, wants_dm=wants_dm, dms_closed_at=None)


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
