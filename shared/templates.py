"""The templates of a server, in the caller's transaction. A server has few, so they are read together."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import GameTemplate, Guild, new_id

MOST_TEMPLATES = 25
"""Of a server: as many as Discord suggests."""


class SaveResult(enum.Enum):
    """Result of `save_template`."""

    CREATED = "created"
    REPLACED = "replaced"
    TOO_MANY = "too many"


async def save_template(
    session: AsyncSession,
    guild_id: int,
    name: str,
    *,
    defaults: Mapping[str, str],
    locked: Sequence[str],
    user_id: int,
) -> SaveResult:
    """Save a template. It replaces the one of the same name, in whichever case."""
    await session.execute(insert(Guild).values(id=guild_id).on_conflict_do_nothing())
    await session.execute(select(Guild.id).where(Guild.id == guild_id).with_for_update(key_share=True))
    known = {template.key for template in await list_templates(session, guild_id)}
    key = _key(name)
    if key not in known and len(known) >= MOST_TEMPLATES:
        return SaveResult.TOO_MANY
    values = {"name": name, "defaults": dict(defaults), "locked": list(locked), "created_by": user_id}
    await session.execute(
        insert(GameTemplate)
        .values(id=new_id(), guild_id=guild_id, key=key, **values)
        .on_conflict_do_update(constraint="uq_game_template_guild_id_key", set_=values)
    )
    return SaveResult.REPLACED if key in known else SaveResult.CREATED


async def find_template(session: AsyncSession, guild_id: int, name: str) -> GameTemplate | None:
    """Return a server's template by its name, or None."""
    statement = select(GameTemplate).where(GameTemplate.guild_id == guild_id, GameTemplate.key == _key(name))
    return (await session.execute(statement)).scalar_one_or_none()


async def list_templates(session: AsyncSession, guild_id: int) -> Sequence[GameTemplate]:
    """Return a server's templates by name."""
    statement = select(GameTemplate).where(GameTemplate.guild_id == guild_id).order_by(GameTemplate.key)
    return (await session.execute(statement)).scalars().all()


async def delete_template(session: AsyncSession, guild_id: int, name: str) -> bool:
    """Delete a template. Return False if there is none. Games that were made with it stay."""
    statement = delete(GameTemplate).where(GameTemplate.guild_id == guild_id, GameTemplate.key == _key(name))
    return (await session.execute(statement.returning(GameTemplate.id))).scalar_one_or_none() is not None


def _key(name: str) -> str:
    return name.strip().casefold()
