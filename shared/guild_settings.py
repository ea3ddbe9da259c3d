"""A server's settings, which apply to new games and say who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.audit import record_settings_change
from shared.models import Guild


@dataclass(frozen=True, kw_only=True)
class GuildSettings:
    """The settings, with the defaults of a server that has set none."""

    zone: str = "UTC"
    reminder_offsets: tuple[int, ...] | None = None
    """Minutes. None is the bot's default, and no offset is no reminder."""
    channel_id: int | None = None
    """Where new games are announced. None is where they are created."""
    creator_role_id: int | None = None
    """Who may create games. None is everybody."""
    manager_role_id: int | None = None
    """Who may change all games. None is who has Discord's permission for events."""


async def get_guild_settings(session: AsyncSession, guild_id: int) -> GuildSettings:
    """Return a server's settings."""
    columns = [getattr(Guild, field.name) for field in fields(GuildSettings)]
    row = (await session.execute(select(*columns).where(Guild.id == guild_id))).one_or_none()
    if row is None:
        return GuildSettings()
    values = row._asdict()
    offsets = values.pop("reminder_offsets")
    return GuildSettings(**values, reminder_offsets=None if offsets is None else tuple(offsets))


async def change_guild_settings(
    session: AsyncSession, guild_id: int, changes: Mapping[str, Any], *, actor_id: int
) -> GuildSettings:
    """Change settings by name, and return all. Existing games keep what they were created with."""
    await session.execute(insert(Guild).values(id=guild_id).on_conflict_do_nothing())
    await session.execute(select(Guild.id).where(Guild.id == guild_id).with_for_update(key_share=True))
    before = await get_guild_settings(session, guild_id)
    after = replace(before, **changes)
    changed = {name: getattr(after, name) for name in changes if getattr(after, name) != getattr(before, name)}
    if changed:
        await session.execute(update(Guild).where(Guild.id == guild_id).values(changed))
        both = {name: (getattr(before, name), value) for name, value in changed.items()}
        await record_settings_change(session, guild_id, actor_id=actor_id, changes=both)
    return after


async def mark_greeted(session: AsyncSession, guild_id: int) -> bool:
    """Record that the bot says hello on a server. Return False if it has done so before."""
    await session.execute(insert(Guild).values(id=guild_id).on_conflict_do_nothing())
    is_first = update(Guild).where(Guild.id == guild_id, Guild.greeted_at.is_(None)).values(greeted_at=func.now())
    return (await session.execute(is_first.returning(Guild.id))).scalar_one_or_none() is not None
