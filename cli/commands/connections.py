"""Logging, database sessions and Discord calls for all commands."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from shared import database, logs
from shared.database import Sessions
from shared.discord.errors import InvalidTokenError, RateLimitedError
from shared.errors import ConfigurationError, QuestbellError, TransientError
from shared.settings import DatabaseSettings, LogSettings, Timing, load

APPLICATION_NAME = "questbell command line"
"""The name of connections in PostgreSQL and RabbitMQ."""
LONGEST_PAUSE = 60.0
"""Seconds of the longest rate limit that a command waits for."""
MAX_PAUSES = 20

_MISSING_SCHEMA = {
    "42P01",  # undefined_table
    "42703",  # undefined_column
}
T = TypeVar("T")


def log_to_stderr() -> None:
    """Log warnings to standard error, since standard output is for the result."""
    logs.configure(LogSettings(format="console", level="warning"), workload="cli", stream=sys.stderr)
    for library in ("aiormq", "aio_pika"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # they log what they also raise


@asynccontextmanager
async def open_sessions(settings: DatabaseSettings | None = None) -> AsyncIterator[Sessions]:
    """Open the database for a block.

    Raises:
        ConfigurationError: the database lacks the tables of this release.
    """
    settings = settings or load(DatabaseSettings)
    async with database.engine(settings, application_name=APPLICATION_NAME, timing=load(Timing)) as engine:
        try:
            yield database.sessions(engine)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _MISSING_SCHEMA:
                raise
            raise ConfigurationError(
                "the database (QUESTBELL_DATABASE_URL) lacks the tables of this release; run `questbell migrate`"
            ) from error


async def call_discord(request: Callable[[], Awaitable[T]]) -> T:
    """Make a request to Discord, repeating it after rate limits.

    Raises:
        ConfigurationError: Discord rejects the bot's token.
        RequestRejectedError: the bot may not see it, or it does not exist.
        TransientError: no answer, a 5xx, or a rate limit that lasts too long.
    """
    for _ in range(MAX_PAUSES):
        try:
            return await request()
        except InvalidTokenError as error:
            raise ConfigurationError(
                "DISCORD_TOKEN: Discord rejects this token; copy a new one from the application's Bot page"
            ) from error
        except RateLimitedError as error:
            pause = error.retry_after or 0.0
            if pause > LONGEST_PAUSE:
                raise TransientError(f"Discord asks for a pause of {pause:.0f} s; try again after it") from error
            await asyncio.sleep(pause)
    raise TransientError("Discord keeps limiting the rate of requests; try again later")


def parse_id(text: str) -> UUID:
    """Return the id that a user entered.

    Raises:
        QuestbellError: it is not an id.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise QuestbellError(f"{text!r} is not an id; ids look like 01890a5d-ac96-774b-bcce-b302099a8057") from error
