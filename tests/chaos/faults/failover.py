"""A pair of PostgreSQL servers whose primary is lost, or changes places with its standby."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tests.chaos.faults import Fault
from tests.chaos.fixture import Fixture

SECOND_PRIMARY = 2.0
"""Seconds for which a primary that was frozen accepts commits beside the new one, until it is stopped."""


def lose_primary(*, frozen: bool) -> Fault:
    """Kill the primary, or freeze it until its standby is the primary, and let it come back as a standby.

    An asynchronous standby lags when that happens, so the last commits are lost. A frozen primary continues before its
    Patroni does, which would stop it, so there are two primaries for a moment.
    """

    async def inject(fixture: Fixture) -> None:
        pair = fixture.environment.pair
        assert pair is not None
        primary, standby = await pair.roles()
        await asyncio.sleep(fixture.rng.uniform(0.5, 3.0))
        async with AsyncExitStack() as stack:
            if not pair.is_synchronous:
                await stack.enter_async_context(pair.lagging(standby))
                await asyncio.sleep(fixture.rng.uniform(2.0, 4.0))
            if frozen:
                primary.freeze()
            else:
                await primary.kill()
            fixture.record_injection()
        await pair.until_promoted(standby)
        if frozen:
            primary.resume(with_patroni=False)
            await asyncio.sleep(SECOND_PRIMARY)
            await primary.kill()
        if not pair.is_synchronous:
            fixture.lost_primary = await pair.copy_data(primary)
        await primary.start()
        await pair.roles()
        fixture.record_recovery()

    return inject


async def switch_over(fixture: Fixture) -> None:
    """Let primary and standby change places in order, as before a node is drained."""
    pair = fixture.environment.pair
    assert pair is not None
    primary, standby = await pair.roles()
    await asyncio.sleep(fixture.rng.uniform(0.5, 3.0))
    fixture.record_injection()
    await primary.hand_over(standby)
    await pair.until_promoted(standby)
    await pair.roles()
    fixture.record_recovery()
