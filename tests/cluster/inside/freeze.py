"""Freeze the controllers of this pod while they hold due rows, and print how many; runs in their container.

A process that is stopped at any moment is idle nearly always, which delays nothing and shows nothing. So the database
is asked when this pod has a transaction open, and after the stop whether due rows stay locked that the bot has not
begun to deliver: a process that was stopped just after it published has done its work.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import asyncpg

from shared.settings import DatabaseSettings, load

BUSY = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'questbell controllers' "
    "AND client_addr = inet_client_addr() AND state = 'idle in transaction'"
)
HELD = (
    "SELECT id FROM notification_schedule WHERE attempt_at <= clock_timestamp() AND id NOT IN "
    "(SELECT id FROM notification_schedule WHERE attempt_at <= clock_timestamp() FOR SHARE SKIP LOCKED) "
    "AND id NOT IN (SELECT notification_id FROM notification_delivery)"
)
LOOKS, APART = 4, 0.1
"""A row that is locked at every one of these checks, seconds apart, is held by the frozen process."""


def process_of_controllers() -> int:
    """Return the id of the workload's process."""
    for directory in Path("/proc").glob("[0-9]*"):
        words = (directory / "cmdline").read_bytes().split(b"\0")
        if b"controllers" in words and any(word.endswith(b"questbell") for word in words):
            return int(directory.name)
    raise SystemExit("the controllers do not run here")


async def held(session: asyncpg.Connection) -> set[object]:
    """Return the due rows that stay locked."""
    rows = {row["id"] for row in await session.fetch(HELD)}
    for _ in range(LOOKS - 1):
        if not rows:
            break
        await asyncio.sleep(APART)
        rows &= {row["id"] for row in await session.fetch(HELD)}
    return rows


async def main(seconds: float) -> None:
    """Try for some seconds."""
    process, ends = process_of_controllers(), time.monotonic() + seconds
    url = load(DatabaseSettings).url.get_secret_value().replace("+asyncpg", "", 1)
    session = await asyncpg.connect(url, timeout=5)
    while time.monotonic() < ends:
        if not await session.fetchval(BUSY):
            await asyncio.sleep(0.001)
            continue
        os.kill(process, signal.SIGSTOP)
        if rows := await held(session):
            print(len(rows))
            return
        os.kill(process, signal.SIGCONT)
    raise SystemExit(f"no claim was met within {seconds:.0f} s")


asyncio.run(main(float(sys.argv[1])))
