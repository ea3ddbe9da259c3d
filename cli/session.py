"""What every command begins with: logs away from standard output, and the database with its refusals in words."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from sqlalchemy.exc import DBAPIError

from shared import database, logs
from shared.database import Sessions
from shared.errors import ConfigurationError, QuestbellError
from shared.settings import DatabaseSettings, LogSettings, Timing, load

NAME = "questbell command line"
"""How a command shows in PostgreSQL's and RabbitMQ's lists of connections."""

_REFUSED = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
_NO_SCHEMA = {
    "42P01",  # undefined_table
    "42703",  # undefined_column
}


def log_to_standard_error() -> None:
    """Keep standard output for the answer; what is logged on the way goes to standard error, and only warnings do."""
    logs.configure(LogSettings(format="console", level="warning"), workload="cli", stream=sys.stderr)
    for library in ("aiormq", "aio_pika"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # what they log they raise, and we say it


@asynccontextmanager
async def database_sessions(settings: DatabaseSettings | None = None) -> AsyncIterator[Sessions]:
    """Hold the way to the database, as the environment names it, for a block.

    Raises:
        ConfigurationError: PostgreSQL refuses the user, the password or the database, or its schema is not ours.
    """
    settings = settings or load(DatabaseSettings)
    async with database.engine(settings, application_name=NAME, timing=load(Timing)) as engine:
        try:
            yield database.sessions(engine)
        except _REFUSED as error:
            raise ConfigurationError(f"QUESTBELL_DATABASE_URL: PostgreSQL refuses it: {error}") from error
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _NO_SCHEMA:
                raise
            raise ConfigurationError(
                "QUESTBELL_DATABASE_URL: the database lacks this release's tables: run `questbell migrate`"
            ) from error


def uuid_of(text: str) -> UUID:
    """Return the id that a person typed.

    Raises:
        QuestbellError: it is none.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise QuestbellError(f"{text!r} is not an id: one looks like 01890a5d-ac96-774b-bcce-b302099a8057") from error
