"""APScheduler with its job store in PostgreSQL and a pool of threads or processes.

One process runs it, as its manual demands. It removes a job from the store when it gives the job to the pool, so a
process that dies loses what it had not finished.
"""

from __future__ import annotations

import time
from datetime import datetime

from apscheduler.executors.pool import ProcessPoolExecutor, ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

from benchmarks.peers import program
from benchmarks.peers.work import deliver, dsn

LOOK_EVERY = 1
"""Seconds. A scheduler does not learn of jobs that another process adds, so a job that does nothing has it look at the
store. It looks again at the exact time of the next job that it found."""


def _stores() -> dict[str, object]:
    url = dsn().replace("postgresql://", "postgresql+psycopg://", 1)
    return {"default": SQLAlchemyJobStore(url=url), "memory": MemoryJobStore()}


async def prepare() -> None:
    """Create the table of the job store."""
    _paused().shutdown()


async def enqueue(reminders: range, due_at: datetime) -> None:
    """Add the reminders to the store."""
    scheduler = _paused()
    for reminder in reminders:
        scheduler.add_job(
            deliver,
            "date",
            run_date=due_at,
            args=(reminder,),
            id=str(reminder),
            misfire_grace_time=None,  # however late
            coalesce=False,
        )
    scheduler.shutdown()


def _paused() -> BackgroundScheduler:
    scheduler = BackgroundScheduler(jobstores=_stores(), timezone="UTC")
    scheduler.start(paused=True)
    return scheduler


def work() -> None:
    """Run the scheduler."""
    settings = program.settings()
    pool = ThreadPoolExecutor if settings["pool"] == "threads" else ProcessPoolExecutor
    executors = {"default": pool(settings["pool_size"]), "look": ThreadPoolExecutor(1)}
    scheduler = BlockingScheduler(jobstores=_stores(), executors=executors, timezone="UTC")
    scheduler.add_job(time.time, "interval", seconds=LOOK_EVERY, jobstore="memory", executor="look")
    scheduler.start()


if __name__ == "__main__":
    program.run(prepare=prepare, enqueue=enqueue, work=work)
