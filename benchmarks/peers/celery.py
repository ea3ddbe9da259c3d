"""celery with an ETA: its workers take the messages when they are published, and hold them until they are due.

Messages are acknowledged late, so a worker that dies loses none; the broker then delivers all that it held again.
"""

from __future__ import annotations

import os
from datetime import datetime

from celery import Celery

from benchmarks.peers import program
from benchmarks.peers.work import deliver

settings = program.settings()
app = Celery("peer", broker=program.broker_url())
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_default_queue="reminders",
    worker_prefetch_multiplier=settings.get("prefetch_multiplier", 0),  # 0 is without a limit
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
)
task = app.task(deliver, name="deliver")


async def enqueue(reminders: range, due_at: datetime) -> None:
    """Publish the reminders."""
    with app.producer_pool.acquire(block=True) as producer:
        for reminder in reminders:
            task.apply_async((reminder,), eta=due_at, producer=producer)


def work() -> None:
    """Run a worker."""
    pool, concurrency = settings["pool"], settings["concurrency"]
    quiet = ("--loglevel=ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")
    app.worker_main(
        ["worker", f"--pool={pool}", f"--concurrency={concurrency}", f"--hostname={os.getpid()}@%h", *quiet]
    )


if __name__ == "__main__":
    program.run(prepare=program.no_preparation, enqueue=enqueue, work=work)
