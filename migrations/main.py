"""The process of `questbell migrate`."""

from __future__ import annotations

from sqlalchemy import text

from migrations import command
from shared import database, logs, process
from shared.errors import TransientError
from shared.schedule.retry import Backoff, retry
from shared.settings import DatabaseOwnerSettings, DatabaseSettings, LogSettings, Timing, load

APPLICATION_NAME = "questbell migrate"


def main() -> None:
    """Run the command."""
    process.run(_main())


async def _main() -> None:
    logs.configure(load(LogSettings), workload="migrate")
    settings, owner = load(DatabaseSettings), load(DatabaseOwnerSettings)
    await process.run_until_signalled(lambda: migrate(settings, owner))


async def migrate(settings: DatabaseSettings, owner: DatabaseOwnerSettings) -> None:
    """Upgrade the schema as its owner, and wait for the database until that has succeeded.

    Raises:
        ConfigurationError: the database rejects us, or the owner may not create tables.
    """
    by_owner = settings if owner.url is None else settings.model_copy(update={"url": owner.url})

    async def upgrade() -> None:
        with database.translated():
            workloads = None if owner.url is None else await _name_account(settings)
            async with database.engine(
                by_owner, application_name=APPLICATION_NAME, timing=Timing(), answer_timeout=None
            ) as engine:
                await command.upgrade(engine, workloads=workloads)

    def waiting(why: TransientError) -> None:
        logs.get().warning(
            "Waiting for the database (QUESTBELL_DATABASE_URL)", action="waiting_for_database", error=str(why)
        )

    await retry(upgrade, backoff=Backoff(first=0.2, longest=5.0), on_failure=waiting)


async def _name_account(settings: DatabaseSettings) -> str:
    """Return the name of an account on the server, which a pooler may have changed."""
    async with (
        database.engine(settings, application_name=APPLICATION_NAME, timing=Timing()) as engine,
        engine.connect() as connection,
    ):
        return str(await connection.scalar(text("SELECT current_user")))
