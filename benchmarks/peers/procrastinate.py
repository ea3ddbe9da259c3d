"""procrastinate: its queue is a table in PostgreSQL, from which each worker takes one job at a time.

Its workers are notified of jobs that are added, but not of jobs that become due, so they poll.
"""

from __future__ import annotations

from datetime import datetime

import asyncpg
from procrastinate import App, PsycopgConnector

from benchmarks.peers import program
from benchmarks.peers.work import deliver_async, dsn, pool
from shared import process

BATCH = 1_000
settings = program.settings()
app = App(connector=PsycopgConnector(conninfo=dsn(), min_size=1, max_size=settings.get("concurrency", 1) + 2))
_pools: list[asyncpg.Pool[object]] = []


async def _deliver(reminder: int) -> None:
    await deliver_async(reminder, _pools[0])


task = app.task(_deliver, name="deliver", queue="reminders")


async def prepare() -> None:
    """Create its tables and functions."""
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def enqueue(reminders: range, due_at: datetime) -> None:
    """Insert the reminders."""
    async with app.open_async():
        deferrer = task.configure(schedule_at=due_at)
        for start in range(0, len(reminders), BATCH):
            await deferrer.batch_defer_async(*({"reminder": reminder} for reminder in reminders[start : start + BATCH]))


async def _work() -> None:
    async with pool(settings["concurrency"]) as connections, app.open_async():
        _pools.append(connections)
        await app.run_worker_async(
            queues=["reminders"],
            concurrency=settings["concurrency"],
            fetch_job_polling_interval=settings["polling_ms"] / 1_000,
        )


def work() -> None:
    """Run a worker."""
    process.run(_work())


if __name__ == "__main__":
    program.run(prepare=prepare, enqueue=enqueue, work=work)
