"""Several things at once, drawn by the dice: what nobody thought of combining."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.chaos.faults import Fault
from tests.chaos.scene import Scene


def together(*faults: Fault) -> Fault:
    """Let faults happen at the same time; all is well when the last one is over."""

    async def fault(scene: Scene) -> None:
        async with asyncio.TaskGroup() as tasks:
            for one in faults:
                tasks.create_task(_run(one, scene))
        scene.healed()

    return fault


def drawn(faults: Sequence[Fault], *, count: int) -> Fault:
    """Draw some faults and let them happen one after the other, without a pause."""

    async def fault(scene: Scene) -> None:
        for one in scene.dice.sample(list(faults), count):
            await one(scene)

    return fault


async def _run(fault: Fault, scene: Scene) -> None:
    await fault(scene)
