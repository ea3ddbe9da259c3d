"""The schema that this release needs. The controllers migrate it, and other processes wait for it."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from shared import database, logs
from shared.database import Sessions
from shared.errors import TransientError
from shared.schedule.retry import Backoff, retry

REVISION = "0024"
"""The newest revision of `migrations`. A newer schema works too."""
GRANT_CREATE = "GRANT CREATE ON SCHEMA public TO USER"
"""What lets another user than the owner migrate, from PostgreSQL 15 on."""


async def wait_for_schema(sessions: Sessions, *, backoff: Backoff) -> None:
    """Wait for the database and the schema, and log what is missing meanwhile.

    Raises:
        ConfigurationError: the database rejects us, and waiting does not help.
    """
    log = logs.get(component="schema")

    async def check() -> None:
        revision = await _revision(sessions)
        if revision < REVISION:
            found = f"is at revision {revision}" if revision else "has no schema"
            raise TransientError(f"the database {found} (need revision {REVISION}); run `questbell migrate`")

    def log_failure(error: TransientError) -> None:
        log.warning("Waiting for the database", action="dependency_missing", error=str(error))

    await retry(check, backoff=backoff, on_failure=log_failure)


async def _revision(sessions: Sessions) -> str:
    try:
        async with database.transaction(sessions) as session:
            return str((await session.execute(text("SELECT max(version_num) FROM alembic_version"))).scalar_one() or "")
    except ProgrammingError:  # no such table: the database was never migrated
        return ""
