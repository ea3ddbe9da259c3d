"""`questbell migrate` upgrades the schema to this release.

Every replica's init container may run it at once, so an advisory lock lets one work while the others wait. A newer
schema is left as it is. Expand/contract revisions make such a rollback possible.

A migration that was killed continues where it was, and a statement that cannot get its lock is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from migrations.online import SHORT_LOCKS
from shared import logs

_LOCK = 0x51756573  # "Ques": any number, the same for all
_LOCK_NOT_AVAILABLE = "55P03"
_POLL_SECONDS = 0.5


def alembic_config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration on the given connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def upgrade(engine: AsyncEngine, *, revision: str = "head", workloads: str | None = None) -> None:
    """Upgrade the schema, and grant the account of the workloads, if given, what they need.

    The engine's connections must not limit statement time.
    """
    if workloads is not None:
        await _exclusively(engine, partial(_grant, account=workloads))
    await _exclusively(engine, partial(_upgrade, revision=revision))


async def downgrade(engine: AsyncEngine, *, revision: str) -> None:
    """Downgrade the schema ("base" for none)."""
    await _exclusively(engine, partial(_downgrade, revision=revision))


async def current(engine: AsyncEngine) -> str | None:
    """Return the database's revision, or None if it is empty."""
    async with engine.connect() as connection:
        return await connection.run_sync(_current)


def head() -> str:
    """Return this release's revision."""
    revision = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if revision is None:
        raise RuntimeError("this package lacks its migrations")
    return revision


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def _exclusively(engine: AsyncEngine, work: Callable[[Connection], None]) -> None:
    async with engine.connect() as lock:
        await lock.execution_options(isolation_level="AUTOCOMMIT")
        # A statement that waits has a snapshot, for which CREATE INDEX CONCURRENTLY of the other process would wait.
        try_lock = text("SELECT pg_try_advisory_lock(:lock)")
        while not await lock.scalar(try_lock, {"lock": _LOCK}):  # noqa: ASYNC110 -- only the server knows
            await asyncio.sleep(_POLL_SECONDS)
        try:
            await _run_until_locks_are_free(engine, work)
        finally:
            await lock.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})


async def _run_until_locks_are_free(engine: AsyncEngine, work: Callable[[Connection], None]) -> None:
    """Do the work, again while another transaction holds a table for longer than others may wait."""
    while True:
        try:
            async with engine.connect() as connection:
                await connection.execute(text(SHORT_LOCKS))
                await connection.commit()
                try:
                    return await connection.run_sync(work)
                finally:
                    await connection.invalidate()  # nobody else should get its settings
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            logs.get(component="migrate").warning("Waiting for a lock", action="waiting_for_lock")
        await asyncio.sleep(_POLL_SECONDS)


def _upgrade(connection: Connection, *, revision: str) -> None:
    log = logs.get(component="migrate")
    config, at = alembic_config(connection), _current(connection)
    connection.commit()
    if at is not None and not _is_known(config, at):
        log.warning("The schema is newer than this release; left as it is", action="schema_newer", revision=at)
        return
    command.upgrade(config, revision)
    log.info("The schema is up to date", action="migrated", before=at, after=_current(connection))


def _grant(connection: Connection, *, account: str) -> None:
    """Let an account read and write rows, also of tables that will be created.

    Granting after the upgrade was rejected: a workload that starts meanwhile finds a table that it must not read.
    """
    quote = connection.dialect.identifier_preparer.quote_identifier
    schema, to = quote(connection.scalar(text("SELECT current_schema()")) or "public"), quote(account)
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {to}")
    for rights, kind in (("SELECT, INSERT, UPDATE, DELETE", "TABLES"), ("USAGE, SELECT", "SEQUENCES")):
        connection.exec_driver_sql(f"GRANT {rights} ON ALL {kind} IN SCHEMA {schema} TO {to}")
        connection.exec_driver_sql(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {rights} ON {kind} TO {to}")
    connection.commit()


def _downgrade(connection: Connection, *, revision: str) -> None:
    command.downgrade(alembic_config(connection), revision)


def _is_known(config: Config, revision: str) -> bool:
    try:
        ScriptDirectory.from_config(config).get_revision(revision)
    except CommandError:
        return False
    return True
