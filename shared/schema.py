"""Which schema this release needs. Controllers bring it up before they start; whoever starts earlier waits for it."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from shared import database, logs
from shared.database import Sessions
from shared.errors import TransientError
from shared.schedule.retry import Backoff, retry

REVISION = "0004"
"""The newest revision of `migrations`. Revisions are numbered, and a newer schema serves this release too."""


async def until_usable(sessions: Sessions, *, backoff: Backoff) -> None:
    """Return when the database can be reached and has our schema; until then say what is missing.

    Raises:
        ConfigurationError: the database refuses us, and waiting does not help.
    """
    log = logs.get(component="schema")

    async def look() -> None:
        at = await _revision(sessions)
        if at < REVISION:
            found = f"is at revision {at}" if at else "has no schema"
            raise TransientError(f"the database {found} (need revision {REVISION}); run `questbell migrate`")

    def waiting(why: TransientError) -> None:
        log.warning("Waiting for the database", action="dependency_missing", error=str(why))

    await retry(look, backoff=backoff, on_failure=waiting)


async def _revision(sessions: Sessions) -> str:
    try:
        async with database.transaction(sessions) as session:
            return str((await session.execute(text("SELECT max(version_num) FROM alembic_version"))).scalar_one() or "")
    except ProgrammingError:  # no such table: nothing was ever migrated
        return ""
