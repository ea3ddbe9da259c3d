"""Servers that restart, lose everything, fall silent or go away for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.chaos.faults import Fault
from tests.chaos.scene import Scene

SILENCE = 12.0
"""Seconds: longer than every time-out of a request, a statement or a publish."""
API_SERVER_AWAY = 120.0


async def broker_restarts(scene: Scene) -> None:
    """Stop the broker as its operator would, and start it again."""
    await asyncio.sleep(scene.dice.uniform(0.5, 3.0))
    await scene.ground.rabbitmq.stop()
    scene.struck()
    await scene.ground.rabbitmq.start()
    scene.healed()


async def broker_is_wiped(scene: Scene) -> None:
    """Lose every queue and message."""
    await asyncio.sleep(scene.dice.uniform(0.5, 3.0))
    await scene.ground.rabbitmq.wipe()
    scene.struck()
    scene.healed()


async def database_restarts(scene: Scene) -> None:
    """Stop PostgreSQL for a moment."""
    await asyncio.sleep(scene.dice.uniform(0.5, 3.0))
    await scene.ground.postgres.stop()
    scene.struck()
    await asyncio.sleep(scene.dice.uniform(0.0, 3.0))
    await scene.ground.postgres.start()
    scene.healed()


async def database_fails_over(scene: Scene) -> None:
    """End all sessions, again and again, as fail-overs and poolers do."""
    for _ in range(5):
        await asyncio.sleep(scene.dice.uniform(0.5, 2.0))
        await scene.ground.postgres.terminate_backends()
        scene.struck()
        scene.healed()


async def api_server_goes(scene: Scene) -> None:
    """Take the Kubernetes API server away for two minutes."""
    await scene.ground.control_plane.stop()
    scene.struck()
    await asyncio.sleep(API_SERVER_AWAY)
    await scene.ground.control_plane.start()
    scene.healed()


def silent(names: Sequence[str], *, seconds: float = SILENCE) -> Fault:
    """Let nothing through some links for a while, and say nothing: no reset, no refusal."""

    async def fault(scene: Scene) -> None:
        await asyncio.sleep(scene.dice.uniform(0.5, 3.0))
        for name in names:
            scene.links[name].silence()
        scene.struck()
        await asyncio.sleep(seconds)
        for name in names:
            scene.links[name].restore()
        scene.healed()

    return fault


def cut(names: Sequence[str], *, times: int = 6) -> Fault:
    """Reset all connections of some links, again and again."""

    async def fault(scene: Scene) -> None:
        for _ in range(times):
            await asyncio.sleep(scene.dice.uniform(0.3, 1.5))
            for name in names:
                await scene.links[name].cut()
            scene.struck()
            scene.healed()

    return fault
