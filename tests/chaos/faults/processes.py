"""Processes that die, freeze or are terminated, at random moments and at injection points."""

from __future__ import annotations

import asyncio
import signal

from sandbox.demo.workload import Workload
from sandbox.servers.fault_proxy import Action
from tests.chaos.faults import Fault
from tests.chaos.fixture import FREEZE, Fixture, send_signal
from tests.chaos.injection_points import InjectionPoint, Trigger

BOT, CONTROLLERS = "bot", "controllers"
MAX_SKIPPED = 12
"""How often an injection point may pass untouched; the random numbers decide which message it hits."""


_EXTRA_WAIT = 5.0
"""Seconds after the last due time within which an injection point may still be reached."""


def kill(kind: str, *, times: int = 3) -> Fault:
    """Kill a process at random moments; each time it is started again at once."""

    async def inject(fixture: Fixture) -> None:
        for _ in range(times):
            await asyncio.sleep(fixture.rng.uniform(0.0, 1.5))
            workload = choose(fixture, kind)
            await fixture.kill(workload)
            await fixture.start(workload)

    return inject


def terminate(kind: str, *, times: int = 3) -> Fault:
    """End a process with SIGTERM, as every deployment does, and start the next."""

    async def inject(fixture: Fixture) -> None:
        for _ in range(times):
            await asyncio.sleep(fixture.rng.uniform(0.0, 1.5))
            workload = choose(fixture, kind)
            send_signal(workload, signal.SIGTERM)
            await workload.ended()
            fixture.record_injection()
            await fixture.start(workload)

    return inject


def freeze(kind: str) -> Fault:
    """Stop a process for longer than every time-out."""

    async def inject(fixture: Fixture) -> None:
        await asyncio.sleep(fixture.rng.uniform(1.0, 4.0))
        await fixture.freeze(choose(fixture, kind), FREEZE)

    return inject


def stop_for(kind: str, seconds: float) -> Fault:
    """Stop a process until more than one reminder of a game is overdue."""

    async def inject(fixture: Fixture) -> None:
        workload = choose(fixture, kind)
        await fixture.kill(workload)
        await asyncio.sleep(seconds)
        await fixture.start(workload)

    return inject


def kill_at(kind: str, *points: InjectionPoint, times: int = 3) -> Fault:
    """Kill a process at an injection point: the bytes that show it are not forwarded."""

    async def inject(fixture: Fixture) -> None:
        for _ in range(times):
            workload = choose(fixture, kind)

            async def act(victim: Workload = workload) -> Action:
                await fixture.kill(victim)
                return Action.RESET

            trigger = Trigger(*points, inject=act, skipped=fixture.rng.randint(0, MAX_SKIPPED))
            if not await _wait_until_fired(fixture, trigger):
                return
            await fixture.start(workload)

    return inject


def freeze_at(kind: str, *points: InjectionPoint) -> Fault:
    """Freeze a process at an injection point, so that it continues there when everyone has given up on it."""

    async def inject(fixture: Fixture) -> None:
        workload = choose(fixture, kind)
        freezes: list[asyncio.Task[None]] = []

        async def act() -> Action:
            send_signal(workload, signal.SIGSTOP)
            freezes.append(asyncio.create_task(fixture.freeze(workload, FREEZE)))
            return Action.FORWARD

        trigger = Trigger(*points, inject=act, skipped=fixture.rng.randint(0, MAX_SKIPPED))
        if await _wait_until_fired(fixture, trigger):
            await asyncio.gather(*freezes)

    return inject


def delay_at(*points: InjectionPoint, seconds: float = 6.0, times: int = 10) -> Fault:
    """Hold bytes back until everyone has given up on them, then forward them after all."""

    async def inject(fixture: Fixture) -> None:
        async def act() -> Action:
            fixture.record_injection()
            await asyncio.sleep(seconds)
            return Action.FORWARD

        triggers = [
            Trigger(*points, inject=act, skipped=fixture.rng.randint(0, 10 * MAX_SKIPPED)) for _ in range(times)
        ]
        await asyncio.gather(*(_wait_until_fired(fixture, trigger, extra=seconds) for trigger in triggers))
        fixture.record_recovery()

    return inject


def choose(fixture: Fixture, kind: str) -> Workload:
    """Return one of the bots or of the controllers."""
    return fixture.rng.choice(fixture.bots if kind == BOT else fixture.controllers)


async def _wait_until_fired(fixture: Fixture, trigger: Trigger, *, extra: float = 0.0) -> bool:
    """Wait for a trigger while it can still fire; return whether it did."""
    trigger.arm(fixture.proxies)
    try:
        async with asyncio.timeout(fixture.seconds_left + _EXTRA_WAIT + extra):
            await trigger.fired.wait()
    except TimeoutError:
        return False
    return True
