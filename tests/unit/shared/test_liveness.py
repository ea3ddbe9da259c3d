"""When a task counts as stuck."""

from __future__ import annotations

import asyncio

from shared import process
from shared.errors import TransientError
from shared.liveness import Watched
from shared.schedule.retry import Backoff
from tests.support.waiting import eventually


async def hang() -> None:
    await asyncio.Event().wait()


async def test_an_attempt_that_never_ends_is_reported() -> None:
    task = Watched("bot.reminders", hang, is_working=lambda: False, stalled_after=0.2)
    assert task.stalled() is None, "nothing has begun"
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0)
    assert task.stalled() is None
    assert "bot.reminders" in (await eventually(task.stalled) or "")
    running.cancel()


async def test_an_outage_is_not_reported_while_attempts_go_on() -> None:
    attempts = 0

    async def fail() -> None:
        nonlocal attempts
        attempts += 1
        raise TransientError("the broker is down")

    task = Watched("bot.reminders", fail, is_working=lambda: False, stalled_after=0.5)
    running = asyncio.create_task(process.run_forever("work", task.run, backoff=Backoff(first=0.05, longest=0.05)))
    while attempts < 30:
        assert task.stalled() is None
        await asyncio.sleep(0.01)
    running.cancel()


async def test_work_of_any_length_is_not_reported() -> None:
    task = Watched("bot.reminders", hang, is_working=lambda: True, stalled_after=0.0)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.05)
    assert task.stalled() is None
    running.cancel()
