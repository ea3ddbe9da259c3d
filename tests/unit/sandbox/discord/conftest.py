"""A sandbox for each test, without rate limits and with a clock that can be moved."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.discord.clock import ManualClock
from sandbox.discord.rate_limits import Limits
from sandbox.discord.server import SandboxDiscord
from tests.unit.sandbox.discord.clients import Api, RawBot


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def sandbox(clock: ManualClock) -> AsyncIterator[SandboxDiscord]:
    async with SandboxDiscord(clock=clock, limits=Limits.off()) as sandbox:
        yield sandbox


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest.fixture
def api(sandbox: SandboxDiscord, session: aiohttp.ClientSession) -> Api:
    return Api(sandbox, session)


@pytest.fixture
def game_night(sandbox: SandboxDiscord) -> int:
    return sandbox.world.channel("game-night").id


@pytest.fixture
async def bot(sandbox: SandboxDiscord, session: aiohttp.ClientSession) -> AsyncIterator[RawBot]:
    """A bot that has identified itself."""
    async with RawBot(sandbox, session) as bot:
        await bot.identify()
        yield bot
