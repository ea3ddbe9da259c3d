"""The process of `questbell migrate`."""

from __future__ import annotations

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
    async def upgrade() -> None:
        with database.translated():
            async with database.engine(
                settings, application_name="questbell migrate", timing=Timing(), answer_timeout=None
            ) as engine:
                await command.upgrade(engine)

    def waiting(why: TransientError) -> None:
        logs.get().warning(
            "Waiting for the database (QUESTBELL_DATABASE_URL)", action="waiting_for_database", error=str(why)
        )

    await retry(upgrade, backoff=Backoff(first=0.2, longest=5.0), on_failure=waiting)
