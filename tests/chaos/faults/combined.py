"""Several faults at once or one after another, drawn at random: combinations that nobody thought of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.chaos.faults import Fault
from tests.chaos.fixture import Fixture


def at_once(*faults: Fault) -> Fault:
    """Inject faults at the same time; everything is well when the last one is over."""

    async def inject(fixture: Fixture) -> None:
        async with asyncio.TaskGroup() as tasks:
            for fault in faults:
                tasks.create_task(_run(fault, fixture))
        fixture.record_recovery()

    return inject


def random_sequence(faults: Sequence[Fault], *, count: int) -> Fault:
    """Draw some faults and inject them one after another, without a pause."""

    async def inject(fixture: Fixture) -> None:
        for fault in fixture.rng.sample(list(faults), count):
            await fault(fixture)

    return inject


async def _run(fault: Fault, fixture: Fixture) -> None:
    await fault(fixture)
