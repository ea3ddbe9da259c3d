"""The database that the fixture of this name hands to a test."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import Sessions
from shared.settings import DatabaseSettings


@dataclass(frozen=True)
class Database:
    """A migrated database that only one test uses."""

    settings: DatabaseSettings
    engine: AsyncEngine
    sessions: Sessions
