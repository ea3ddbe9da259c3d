"""The database that the fixture of this name hands to a test."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import database as db
from shared.database import Sessions
from shared.settings import DatabaseSettings


@dataclass(frozen=True)
class Database:
    """A migrated database that only one test uses."""

    settings: DatabaseSettings
    engine: AsyncEngine
    sessions: Sessions


async def is_anyone_blocked(sessions: Sessions) -> bool:
    """Whether a transaction waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with db.transaction(sessions) as session:
        return bool(await session.scalar(waiting))
