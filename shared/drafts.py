"""Games that their hosts have not posted yet and edits that were refused, in the caller's transaction.

A draft is a row, so that its preview and its form work after a restart and in any process. The newest drafts delete the
oldest, so there is no task that could die.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.models import Draft

RETENTION = timedelta(days=1)
_PURGED_AT_ONCE = 10
"""Each draft deletes more than it adds, so the table stays small."""
_MILLISECOND = timedelta(milliseconds=1)
_TIME_SHIFT = 80


async def save_draft(
    session: AsyncSession,
    draft_id: UUID,
    *,
    interaction_id: int,
    user_id: int,
    guild_id: int,
    channel_id: int,
    options: Mapping[str, Any],
) -> Draft:
    """Create a locked draft, or return the one that this interaction or this form has made already."""
    await _purge_drafts(session)
    values = {
        "id": draft_id,
        "interaction_id": interaction_id,
        "user_id": user_id,
        "guild_id": guild_id,
        "channel_id": channel_id,
        "options": dict(options),
    }
    await session.execute(insert(Draft).values(values).on_conflict_do_nothing())
    is_this = (Draft.interaction_id == interaction_id) | (Draft.id == draft_id)
    return (await session.execute(select(Draft).where(is_this).with_for_update())).scalar_one()


async def lock_draft(session: AsyncSession, draft_id: UUID) -> Draft | None:
    """Return a locked draft, or None if it was discarded or is too old."""
    return await session.get(Draft, draft_id, with_for_update=True, populate_existing=True)


async def find_draft(session: AsyncSession, draft_id: UUID) -> Draft | None:
    """Return a draft without its lock, or None if it was discarded or is too old."""
    return await session.get(Draft, draft_id)


async def find_requested_draft(session: AsyncSession, interaction_id: int) -> Draft | None:
    """Return the draft that an interaction has made, or None."""
    return (await session.execute(select(Draft).where(Draft.interaction_id == interaction_id))).scalar_one_or_none()


async def discard_draft(session: AsyncSession, draft: Draft) -> None:
    """Delete a locked draft."""
    await session.delete(draft)
    await session.flush()


def first_draft_id_at(moment: datetime) -> UUID:
    """Return the smallest id of this moment. The ids are time-ordered UUIDs."""
    epoch = datetime.fromtimestamp(0, tz=moment.tzinfo)
    return UUID(int=((moment - epoch) // _MILLISECOND) << _TIME_SHIFT)


async def _purge_drafts(session: AsyncSession) -> None:
    before = first_draft_id_at(await database.now(session) - RETENTION)
    oldest = select(Draft.id).where(Draft.id < before).order_by(Draft.id).limit(_PURGED_AT_ONCE)
    await session.execute(delete(Draft).where(Draft.id.in_(oldest.with_for_update(skip_locked=True))))
