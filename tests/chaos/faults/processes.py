"""Processes that die, freeze or are told to go: at random, and at chosen points."""

from __future__ import annotations

import asyncio
import signal

from sandbox.demo.workload import Workload
from tests.chaos.faults import Fault
from tests.chaos.links import Fate
from tests.chaos.moments import Moment, Tripwire
from tests.chaos.scene import FREEZE, Scene, signalled

BOT, CONTROLLERS = "bot", "controllers"
SKIPPED_AT_MOST = 12
"""How often a chosen point may go by before it is struck: the dice decide which message it hits."""


_MORE = 5.0
"""Seconds after the last due time within which a chosen point may still come by."""


def killed(who: str, *, times: int = 3) -> Fault:
    """Kill a process at random moments; each time it is started again at once."""

    async def fault(scene: Scene) -> None:
        for _ in range(times):
            await asyncio.sleep(scene.dice.uniform(0.0, 1.5))
            workload = chosen(scene, who)
            await scene.kill(workload)
            await scene.start(workload)

    return fault


def told_to_go(who: str, *, times: int = 3) -> Fault:
    """End a process by SIGTERM, as every deployment does, and start the next."""

    async def fault(scene: Scene) -> None:
        for _ in range(times):
            await asyncio.sleep(scene.dice.uniform(0.0, 1.5))
            workload = chosen(scene, who)
            signalled(workload, signal.SIGTERM)
            await workload.ended()
            scene.struck()
            await scene.start(workload)

    return fault


def frozen(who: str) -> Fault:
    """Stop a process in its tracks for longer than every time-out."""

    async def fault(scene: Scene) -> None:
        await asyncio.sleep(scene.dice.uniform(1.0, 4.0))
        await scene.freeze(chosen(scene, who), FREEZE)

    return fault


def away(who: str, seconds: float) -> Fault:
    """Take a process away for so long that more than one reminder of a session is overdue when it is back."""

    async def fault(scene: Scene) -> None:
        workload = chosen(scene, who)
        await scene.kill(workload)
        await asyncio.sleep(seconds)
        await scene.start(workload)

    return fault


def killed_at(who: str, *moments: Moment, times: int = 3) -> Fault:
    """Kill a process at a chosen point: the bytes that show it are not passed on."""

    async def fault(scene: Scene) -> None:
        for _ in range(times):
            workload = chosen(scene, who)

            async def act(victim: Workload = workload) -> Fate:
                await scene.kill(victim)
                return Fate.CUT

            if not await _tripped(scene, Tripwire(*moments, act=act, skipped=scene.dice.randint(0, SKIPPED_AT_MOST))):
                return
            await scene.start(workload)

    return fault


def frozen_at(who: str, *moments: Moment) -> Fault:
    """Freeze a process at a chosen point, so that it goes on from there when everyone has given it up."""

    async def fault(scene: Scene) -> None:
        workload = chosen(scene, who)
        freezes: list[asyncio.Task[None]] = []

        async def act() -> Fate:
            signalled(workload, signal.SIGSTOP)
            freezes.append(asyncio.create_task(scene.freeze(workload, FREEZE)))
            return Fate.PASSES

        wire = Tripwire(*moments, act=act, skipped=scene.dice.randint(0, SKIPPED_AT_MOST))
        if await _tripped(scene, wire):
            await asyncio.gather(*freezes)

    return fault


def delayed_at(*moments: Moment, seconds: float = 6.0, times: int = 10) -> Fault:
    """Hold bytes back until everyone has given them up, then deliver them after all."""

    async def fault(scene: Scene) -> None:
        async def act() -> Fate:
            scene.struck()
            await asyncio.sleep(seconds)
            return Fate.PASSES

        wires = [Tripwire(*moments, act=act, skipped=scene.dice.randint(0, 10 * SKIPPED_AT_MOST)) for _ in range(times)]
        await asyncio.gather(*(_tripped(scene, wire, late=seconds) for wire in wires))
        scene.healed()

    return fault


def chosen(scene: Scene, who: str) -> Workload:
    """Return the bot, or one of the controllers."""
    return scene.bot if who == BOT else scene.dice.choice(scene.controllers)


async def _tripped(scene: Scene, wire: Tripwire, *, late: float = 0.0) -> bool:
    """Wait for a tripwire until nothing is left to trip it."""
    wire.stretch(scene.links)
    try:
        async with asyncio.timeout(scene.seconds_left + _MORE + late):
            await wire.tripped.wait()
    except TimeoutError:
        return False
    return True
