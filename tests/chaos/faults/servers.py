"""Servers that restart, lose everything, become silent or go down for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.chaos.faults import Fault
from tests.chaos.fixture import Fixture

SILENCE = 12.0
"""Seconds: longer than every time-out of a request, a statement or a publish."""
API_SERVER_DOWN = 120.0


async def restart_broker(fixture: Fixture) -> None:
    """Stop the broker in order, and start it again."""
    await asyncio.sleep(fixture.rng.uniform(0.5, 3.0))
    await fixture.environment.rabbitmq.stop()
    fixture.record_injection()
    await fixture.environment.rabbitmq.start()
    fixture.record_recovery()


async def wipe_broker(fixture: Fixture) -> None:
    """Lose every queue and message."""
    await asyncio.sleep(fixture.rng.uniform(0.5, 3.0))
    await fixture.environment.rabbitmq.wipe()
    fixture.record_injection()
    fixture.record_recovery()


async def restart_database(fixture: Fixture) -> None:
    """Stop PostgreSQL for a moment."""
    await asyncio.sleep(fixture.rng.uniform(0.5, 3.0))
    await fixture.environment.postgres.stop()
    fixture.record_injection()
    await asyncio.sleep(fixture.rng.uniform(0.0, 3.0))
    await fixture.environment.postgres.start()
    fixture.record_recovery()


async def fail_over_database(fixture: Fixture) -> None:
    """Terminate all backends several times, as fail-overs and poolers do."""
    for _ in range(5):
        await asyncio.sleep(fixture.rng.uniform(0.5, 2.0))
        await fixture.environment.postgres.terminate_backends()
        fixture.record_injection()
        fixture.record_recovery()


async def make_database_read_only(fixture: Fixture) -> None:
    """Let PostgreSQL refuse all writes for a while, as a demoted primary or a full disk does."""
    await asyncio.sleep(fixture.rng.uniform(0.5, 3.0))
    await fixture.environment.postgres.set_read_only(True)
    fixture.record_injection()
    await asyncio.sleep(SILENCE)
    await fixture.environment.postgres.set_read_only(False)
    fixture.record_recovery()


async def stop_api_server(fixture: Fixture) -> None:
    """Stop the Kubernetes API server for two minutes."""
    await fixture.environment.control_plane.stop()
    fixture.record_injection()
    await asyncio.sleep(API_SERVER_DOWN)
    await fixture.environment.control_plane.start()
    fixture.record_recovery()


def silence(names: Sequence[str], *, seconds: float = SILENCE) -> Fault:
    """Let nothing through some proxies for a while, without a reset or a refusal."""

    async def inject(fixture: Fixture) -> None:
        await asyncio.sleep(fixture.rng.uniform(0.5, 3.0))
        for name in names:
            fixture.proxies[name].silence()
        fixture.record_injection()
        await asyncio.sleep(seconds)
        for name in names:
            fixture.proxies[name].restore()
        fixture.record_recovery()

    return inject


def abandon(names: Sequence[str]) -> Fault:
    """Let the connections of some proxies be silent for ever, while new ones work: a node died without closing them."""

    async def inject(fixture: Fixture) -> None:
        await asyncio.sleep(fixture.rng.uniform(0.5, 3.0))
        for name in names:
            fixture.proxies[name].abandon()
        fixture.record_injection()
        fixture.record_recovery()

    return inject


def cut_connections(names: Sequence[str], *, times: int = 6) -> Fault:
    """Reset all connections of some proxies several times."""

    async def inject(fixture: Fixture) -> None:
        for _ in range(times):
            await asyncio.sleep(fixture.rng.uniform(0.3, 1.5))
            for name in names:
                await fixture.proxies[name].cut()
            fixture.record_injection()
            fixture.record_recovery()

    return inject
