"""The process of `questbell migrate`."""

from __future__ import annotations

from functools import partial

from sqlalchemy.ext.asyncio import create_async_engine

from migrations import command
from shared import database, logs, process
from shared.errors import TransientError
from shared.schedule.retry import Backoff, retry
from shared.settings import DatabaseSettings, LogSettings, Timing, load


def main() -> None:
    """Run the command."""
    process.run(_main())


async def _main() -> None:
    logs.configure(load(LogSettings), workload="migrate")
    settings = load(DatabaseSettings)
    await process.run_until_signalled(lambda: _migrate(settings))


async def _migrate(settings: DatabaseSettings) -> None:
    connect = partial(database.connect, settings, application_name="questbell migrate", timing=Timing())
    engine = create_async_engine(database.DIALECT, async_creator=partial(connect, statement_timeout=None))

    async def upgrade() -> None:
        with database.translated():
            await command.upgrade(engine)

    def waiting(why: TransientError) -> None:
        logs.get().warning(
            "Waiting for the database (QUESTBELL_DATABASE_URL)", action="waiting_for_database", error=str(why)
        )

    try:
        await retry(upgrade, backoff=Backoff(first=0.2, longest=5.0), on_failure=waiting)
    finally:
        await engine.dispose()
