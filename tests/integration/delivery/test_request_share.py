"""How the bot's processes divide Discord's limit of requests, whichever of them come and go."""

from __future__ import annotations

import asyncio
import random

import pytest
from sqlalchemy import text

from bot.delivery.rate_limits import REQUESTS_PER_SECOND, RateLimiter
from bot.delivery.request_share import LEASE, RENEW_INTERVAL, RequestShare
from shared import database as db
from tests.support.database import Database

ENOUGH = 0.9 * REQUESTS_PER_SECOND
STEP = 0.5
PROCESSES = 6


class Process:
    """A process of the bot in simulated time."""

    def __init__(self, database: Database, ordinal: int) -> None:
        self.limiter = RateLimiter()
        self.share = RequestShare(database.sessions, self.limiter, ordinal=ordinal)
        self.until_renewal = 0.0

    async def step(self) -> None:
        self.until_renewal -= STEP
        if self.until_renewal <= 0:
            await self.share.renew()
            self.until_renewal = RENEW_INTERVAL


async def pass_time(database: Database, seconds: float) -> None:
    """Let every lease end so much earlier."""
    async with db.transaction(database.sessions) as session:
        await session.execute(text(f"UPDATE bot_process SET lease_until = lease_until - interval '{seconds} seconds'"))


@pytest.mark.parametrize("seed", range(6))
async def test_processes_that_come_and_go_never_exceed_the_limit_and_soon_use_it_all(
    seed: int, database: Database
) -> None:
    rng = random.Random(seed)
    alive: dict[int, Process] = {}
    since_change = since_enough = 0.0
    for _ in range(240):
        if not alive or rng.random() < 0.03:
            ordinal = rng.randrange(PROCESSES)
            if ordinal not in alive:
                alive[ordinal] = Process(database, ordinal)
            elif rng.random() < 0.5:
                del alive[ordinal]  # killed, and its lease goes on
            else:
                await alive.pop(ordinal).share.release()
            since_change = 0.0
        for process in rng.sample(list(alive.values()), len(alive)):
            await process.step()
            assert total(alive) <= REQUESTS_PER_SECOND + 1e-6
        since_enough = 0.0 if total(alive) >= ENOUGH else since_enough + STEP
        since_change += STEP
        assert min(since_enough, since_change) <= LEASE + 2 * RENEW_INTERVAL
        await pass_time(database, STEP)


def total(alive: dict[int, Process]) -> float:
    return sum(process.limiter.share for process in alive.values())


async def test_processes_that_renew_at_once_do_not_take_the_same_share(database: Database) -> None:
    for _ in range(20):
        processes = [Process(database, ordinal) for ordinal in range(PROCESSES)]
        await asyncio.gather(*(process.share.renew() for process in processes))
        assert sum(process.limiter.share for process in processes) <= REQUESTS_PER_SECOND + 1e-6
        await asyncio.gather(*(process.share.renew() for process in processes))
        assert sum(process.limiter.share for process in processes) <= REQUESTS_PER_SECOND + 1e-6
        await asyncio.gather(*(process.share.release() for process in processes))


async def test_a_share_that_is_released_is_free_at_once(database: Database) -> None:
    first, second = Process(database, 0), Process(database, 1)
    await first.share.renew()
    await second.share.renew()
    assert (first.limiter.share, second.limiter.share) == (REQUESTS_PER_SECOND, 0.0)
    await first.share.release()
    assert first.limiter.try_acquire() is None
    await second.share.renew()
    assert second.limiter.share == REQUESTS_PER_SECOND


async def test_a_process_that_restarts_has_its_share_again_at_once(database: Database) -> None:
    first, second = Process(database, 0), Process(database, 1)
    for process in (first, second, first, second):
        await process.share.renew()
    again = Process(database, 1)
    await again.share.renew()
    assert again.limiter.share == REQUESTS_PER_SECOND / 2
