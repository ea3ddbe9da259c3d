"""Runs revisions on the connection of `migrations.command`, or on a new one for the `alembic` command."""

from __future__ import annotations

import asyncio
from typing import Any

from alembic import context
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from shared import database
from shared.models import Base
from shared.settings import DatabaseSettings, Timing, load


def _number(_: MigrationContext, __: Any, directives: list[MigrationScript]) -> None:
    """Number new revisions in order: 0005, 0006, …."""
    head = ScriptDirectory.from_config(context.config).get_current_head()
    directives[0].rev_id = f"{int(head or 0) + 1:04d}"


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        process_revision_directives=_number,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _connect_and_run() -> None:
    async with (
        database.engine(load(DatabaseSettings), application_name="alembic", timing=Timing()) as engine,
        engine.connect() as connection,
    ):
        await connection.run_sync(_run)


if (given := context.config.attributes.get("connection")) is not None:
    _run(given)
else:
    asyncio.run(_connect_and_run())
