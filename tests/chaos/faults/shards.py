"""One of several bot processes dies with its shards, while the others go on with theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sandbox.discord.gateway.shards import Shard
from sandbox.discord.world.default_world import OWNER
from tests.chaos.fixture import Fixture

BACK_WITHIN = 30.0
"""Seconds from the death of a process until all of its shards answer commands again: its start on a busy machine, and
Discord's five seconds for each IDENTIFY."""


async def kill_one_of_several(fixture: Fixture) -> None:
    """Kill a bot process and start it again at once. The other shards answer meanwhile, and its own do soon."""
    await asyncio.sleep(fixture.rng.uniform(3.0, 6.0))
    ordinal = fixture.rng.randrange(len(fixture.bots))
    lost = fixture.shards[ordinal :: len(fixture.bots)]
    await fixture.kill(fixture.bots[ordinal])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fixture.start(fixture.bots[ordinal]))
        tasks.create_task(_expect_answers(fixture, [shard for shard in fixture.shards if shard not in lost]))
        tasks.create_task(_expect_answers(fixture, lost, within=BACK_WITHIN))


def list_broken_rules(fixture: Fixture) -> list[str]:
    """Return what the bots did against Discord's rules for shards, and what they did not share."""
    discord = fixture.discord
    refused = {
        "identifies that came too early": discord.refused["identify"],
        "requests above the limit of all of them": discord.refused["every_request"],
        "gateway connections": discord.gateway.refused.total(),
    }
    problems = [f"Discord refused {times} {what}" for what, times in refused.items() if times]
    if (times := discord.world.commands.replaced) != 1:
        problems.append(f"the commands were registered {times} times")
    if (connected := discord.gateway.connected_shards) != fixture.shards:
        problems.append(f"in the end, the connected shards are {connected}")
    return problems


async def _expect_answers(fixture: Fixture, shards: Sequence[Shard], *, within: float = 0.0) -> None:
    """Run commands in guilds of each shard until one is answered, and report the shards that do not answer in time."""
    clock = asyncio.get_running_loop().time
    limit = clock() + within
    for shard in shards:
        while not await _is_answered(fixture, shard):
            if clock() >= limit:
                fixture.problems.append(f"shard {shard.id} did not answer commands within {within:g} s of the kill")
                break


async def _is_answered(fixture: Fixture, shard: Shard) -> bool:
    """Return whether the bot answers a command in a guild of a shard completely."""
    guild = fixture.rng.choice([guild for guild in fixture.discord.world.guilds.values() if shard.covers(guild.id)])
    result = await fixture.discord.slash(OWNER, "game list", in_channel=next(iter(guild.channels)))
    if not result.answered:
        return False
    try:
        await result.done()
    except TimeoutError:
        return False
    return True
