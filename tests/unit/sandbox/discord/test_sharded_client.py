"""Shards with an unmodified discord.py: one process for all of them, or several that share them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import discord
import pytest
import yarl
from discord import app_commands

from sandbox.discord.faults.model import DropGateway
from sandbox.discord.gateway.shards import GUILDS_AT_MOST
from sandbox.discord.rate_limits import Window
from sandbox.discord.server import SandboxDiscord
from tests.support.waiting import WAIT_TIMEOUT, eventually
from tests.unit.sandbox.discord.test_shards import add_guilds, guilds_of

COUNT = 4
IDENTIFY = Window(1, 0.3)
"""One IDENTIFY for each rate limit key, in less than Discord's five seconds."""


class ShardedBot(discord.AutoShardedClient):
    """Some shards of a bot with a command that names them. It waits `pause` seconds before each later IDENTIFY."""

    def __init__(self, shard_ids: Sequence[int] | None, count: int | None, *, pause: float) -> None:
        super().__init__(
            intents=discord.Intents.default(),
            shard_ids=None if shard_ids is None else list(shard_ids),
            shard_count=count,
            guild_ready_timeout=0.05,
        )
        self.pause = pause
        self.heard: list[str] = []
        self.tree = app_commands.CommandTree(self)

        @self.tree.command(description="Name the shards")
        async def shards(interaction: discord.Interaction[Any]) -> None:
            await interaction.response.send_message(f"of {sorted(self.shards)}")

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        if not initial:
            await asyncio.sleep(self.pause)

    async def on_message(self, message: discord.Message) -> None:
        if not message.author.bot:
            self.heard.append(message.content)


@pytest.fixture(autouse=True)
def addresses(sandbox: SandboxDiscord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord.http.Route, "BASE", f"{sandbox.url}/api/v10")
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(sandbox.gateway_url))


@asynccontextmanager
async def connected(
    sandbox: SandboxDiscord, shard_ids: Sequence[int] | None, count: int | None, *, pause: float = 0.0
) -> AsyncIterator[ShardedBot]:
    """Connect a bot for a block."""
    bot = ShardedBot(shard_ids, count, pause=pause)
    running = asyncio.create_task(bot.start(sandbox.token))
    try:
        await eventually(lambda: bot.is_ready() or running.done())
        yield bot
    finally:
        await bot.close()
        await running
        assert sandbox.unimplemented == []


def channel_of(sandbox: SandboxDiscord, shard: int) -> int:
    """Return a channel of a guild of a shard."""
    return next(iter(guilds_of(sandbox, shard, COUNT)[0].channels))


async def test_two_processes_share_the_shards(sandbox: SandboxDiscord) -> None:
    add_guilds(sandbox, 20)
    async with connected(sandbox, [0, 2], COUNT) as even, connected(sandbox, [1, 3], COUNT) as odd:
        for bot, shards in ((even, (0, 2)), (odd, (1, 3))):
            expected = {guild.id for shard in shards for guild in guilds_of(sandbox, shard, COUNT)}
            assert {guild.id for guild in bot.guilds} == expected
        for shard in range(COUNT):
            result = await sandbox.slash("Mia", "shards", in_channel=channel_of(sandbox, shard))
            assert result.content == f"of {[0, 2] if shard % 2 == 0 else [1, 3]}"
        sandbox.say("Mia", "just us", where=sandbox.world.open_dm("Mia"))
        await eventually(lambda: even.heard)
        assert (even.heard, odd.heard) == (["just us"], [])
    assert not sandbox.gateway.refused


async def test_a_process_takes_the_recommended_number_of_shards(sandbox: SandboxDiscord) -> None:
    add_guilds(sandbox, 20)
    sandbox.gateway.recommended_shards = COUNT
    async with connected(sandbox, None, None) as bot:
        assert (bot.shard_count, len(bot.guilds)) == (COUNT, 20)


async def test_shards_that_identify_one_after_another_are_not_too_early(sandbox: SandboxDiscord) -> None:
    sandbox.limits.identify = IDENTIFY
    async with connected(sandbox, None, COUNT, pause=IDENTIFY.seconds + 0.05) as bot:
        assert sorted(bot.shards) == list(range(COUNT))
    assert sandbox.refused["identify"] == 0


async def test_shards_that_identify_too_early_are_recorded_and_must_try_again(sandbox: SandboxDiscord) -> None:
    sandbox.limits.identify, sandbox.gateway.max_concurrency = IDENTIFY, 2
    async with connected(sandbox, None, COUNT, pause=0.05) as bot:
        assert sandbox.refused["identify"] > 0
        assert sorted(shard.shard.id for shard in sandbox.gateway.sessions.values()) == list(range(COUNT))
        assert sorted(bot.shards) == list(range(COUNT))


async def test_each_shard_resumes_its_own_session(sandbox: SandboxDiscord) -> None:
    add_guilds(sandbox, 20)
    async with connected(sandbox, None, COUNT) as bot:
        before, starts = set(sandbox.gateway.connections), sandbox.gateway.starts_left
        sandbox.faults.add(DropGateway())
        mention = f"<@{sandbox.world.bot.id}>"
        for shard in range(COUNT):
            sandbox.say("Mia", f"{mention} {shard}", where=channel_of(sandbox, shard))
        await sandbox.wait_for(
            lambda: len(sandbox.gateway.connections - before) == len(sandbox.gateway.connections) == COUNT,
            timeout=WAIT_TIMEOUT,
        )
        await eventually(lambda: len(bot.heard) == COUNT)
        assert sorted(bot.heard) == [f"{mention} {shard}" for shard in range(COUNT)]
        assert sandbox.gateway.starts_left == starts


async def test_a_client_without_shards_is_refused_with_too_many_guilds(sandbox: SandboxDiscord) -> None:
    add_guilds(sandbox, GUILDS_AT_MOST + 1)
    client = discord.Client(intents=discord.Intents.default())
    with pytest.raises(discord.ConnectionClosed) as closed:
        await client.start(sandbox.token)
    assert closed.value.code == 4011
    await client.close()
