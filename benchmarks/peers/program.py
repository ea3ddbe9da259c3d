"""A program of a peer: `work` is one of its workers, and `client` adds reminders at the request of the benchmark."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks.workers.serving import Answer, serve
from shared import logs, process
from shared.settings import BrokerSettings, LogSettings, load

SETTINGS = "QUESTBELL_BENCH_PEER"
"""The environment variable with the settings, as JSON."""

Prepare = Callable[[], Awaitable[None]]
Enqueue = Callable[[range, datetime], Awaitable[None]]


def settings() -> dict[str, Any]:
    """Return the settings that the benchmark tries."""
    chosen: dict[str, Any] = json.loads(os.environ.get(SETTINGS, "{}"))
    return chosen


def broker_url() -> str:
    """Return the URL of the broker."""
    return load(BrokerSettings).url.get_secret_value()


def run(*, prepare: Prepare, enqueue: Enqueue, work: Callable[[], None]) -> None:
    """Run the part that the command line names.

    `prepare` is called once, before the workers start. `enqueue` adds reminders that are due at one instant.
    """
    [part] = sys.argv[1:]
    if part == "work":
        logging.basicConfig(level=logging.ERROR)
        work()
        return

    async def timed(first: int, count: int, due_at: float) -> Answer:
        began = time.perf_counter()
        await enqueue(range(first, first + count), datetime.fromtimestamp(due_at, UTC))
        return {"seconds": time.perf_counter() - began}

    logs.configure(load(LogSettings), workload="client", stream=sys.stderr)
    process.run(serve({"prepare": prepare, "enqueue": timed}))


async def no_preparation() -> None:
    """Prepare nothing: the workers declare what they need."""
