"""Discord's rules for shards, by the gateway's frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from sandbox.discord.client import SandboxClient
from sandbox.discord.clock import ManualClock
from sandbox.discord.rate_limits import Limits
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.entities import Guild
from tests.support.waiting import WAIT_TIMEOUT
from tests.unit.sandbox.discord.clients import Api, RawBot
from tests.unit.sandbox.discord.test_interactions import GAME, answer

COUNT = 3
TOO_EARLY = {"op": 9, "d": False}


def add_guilds(sandbox: SandboxDiscord, number: int) -> None:
    """Add guilds with a channel, until the bot is in so many."""
    for named in range(len(sandbox.world.guilds), number):
        sandbox.world.add_guild(f"Guild {named}", owner="Mia", channels={"games": ()})


def guilds_of(sandbox: SandboxDiscord, shard: int, count: int = COUNT) -> list[Guild]:
    """Return the guilds of a shard by Discord's formula."""
    return [guild for guild in sandbox.world.guilds.values() if (guild.id >> 22) % count == shard]


@pytest.fixture
async def shards(sandbox: SandboxDiscord, session: aiohttp.ClientSession) -> AsyncIterator[list[RawBot]]:
    """A connection for each shard of a bot in a dozen guilds."""
    add_guilds(sandbox, 12)
    async with AsyncExitStack() as stack:
        bots = [await stack.enter_async_context(RawBot(sandbox, session)) for _ in range(COUNT)]
        for number, bot in enumerate(bots):
            await bot.identify(shard=[number, COUNT])
        yield bots


async def test_each_shard_gets_its_guilds_and_their_events_alone(shards: list[RawBot], sandbox: SandboxDiscord) -> None:
    for number, bot in enumerate(shards):
        assert bot.ready["shard"] == [number, COUNT]
        assert (
            {guild["id"] for guild in bot.ready["guilds"]} == {str(g.id) for g in guilds_of(sandbox, number)} != set()
        )
    for guild in sandbox.world.guilds.values():
        sandbox.say("Mia", "hello", where=next(iter(guild.channels)))
    for number, bot in enumerate(shards):
        for guild in guilds_of(sandbox, number):
            assert (await bot.event("MESSAGE_CREATE"))["guild_id"] == str(guild.id)
        await bot.send(1, bot.seq)
        assert (await bot.frame())["op"] == 11  # no event of another shard comes before it


async def test_direct_messages_are_events_of_shard_0(shards: list[RawBot], sandbox: SandboxDiscord) -> None:
    sandbox.say("Mia", "just us", where=sandbox.world.open_dm("Mia"))
    assert (await shards[0].event("MESSAGE_CREATE"))["content"] == "just us"
    for bot in shards[1:]:
        await bot.send(1, bot.seq)
        assert (await bot.frame())["op"] == 11


async def test_a_command_reaches_the_shard_of_its_guild_alone(
    shards: list[RawBot], sandbox: SandboxDiscord, api: Api
) -> None:
    await api("PUT", f"/applications/{sandbox.world.bot.id}/commands", [GAME])
    for number, bot in enumerate(shards):
        channel = next(iter(guilds_of(sandbox, number)[0].channels))
        running = asyncio.ensure_future(sandbox.slash("Mia", "game create", title="Dragons", in_channel=channel))
        interaction = await bot.event("INTERACTION_CREATE")
        assert (await answer(api, interaction, 4, {"content": f"from {number}"})).status == 204
        assert (await running).content == f"from {number}"
    for session in sandbox.gateway.sessions.values():
        events = ("READY", "INTERACTION_CREATE", "MESSAGE_CREATE")
        assert session.seq == len(events) + len(guilds_of(sandbox, session.shard.id))


async def test_a_shard_gets_the_members_of_its_guilds_alone(shards: list[RawBot], sandbox: SandboxDiscord) -> None:
    mine, other = guilds_of(sandbox, 1)[0], guilds_of(sandbox, 2)[0]
    for guild in (other, mine):
        await shards[1].send(8, {"guild_id": str(guild.id), "query": "", "limit": 0})
    assert (await shards[1].frame())["d"]["guild_id"] == str(mine.id)


@pytest.mark.parametrize(
    "shard", [[2, 2], [-1, 2], [0, 0], [0], [0, 1, 2], ["0", "1"], [False, True], [0.0, 1.0], 0, "x"]
)
async def test_an_invalid_shard_is_closed_with_4010(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession, shard: object
) -> None:
    async with RawBot(sandbox, session) as raw:
        await raw.send(2, {"token": sandbox.token, "intents": 1, "shard": shard})
        assert await raw.close_code() == 4010
    assert sandbox.gateway.refused == {4010: 1}


async def test_a_session_with_too_many_guilds_is_closed_with_4011(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    add_guilds(sandbox, 2500)
    async with RawBot(sandbox, session) as raw:
        await raw.identify(intents=0)
        assert len(raw.ready["guilds"]) == 2500
    add_guilds(sandbox, 2501)
    for fields in ({}, {"shard": [0, 1]}):
        async with RawBot(sandbox, session) as raw:
            await raw.send(2, {"token": sandbox.token, "intents": 1, **fields})
            assert await raw.close_code() == 4011
    async with RawBot(sandbox, session) as raw:
        await raw.identify(intents=0, shard=[1, 2])
        assert len(raw.ready["guilds"]) == len(guilds_of(sandbox, 1, 2))


async def test_a_shard_is_recommended_for_each_thousand_guilds_unless_another_number_is_set(
    sandbox: SandboxDiscord, api: Api
) -> None:
    assert (await api("GET", "/gateway/bot")).body["shards"] == 1
    add_guilds(sandbox, 2001)
    assert (await api("GET", "/gateway/bot")).body["shards"] == 3
    async with SandboxClient(sandbox.url) as client:
        await client.set_gateway(recommended_shards=7, max_concurrency=2)
    recommended = (await api("GET", "/gateway/bot")).body
    assert (recommended["shards"], recommended["session_start_limit"]["max_concurrency"]) == (7, 2)


async def test_identifies_are_limited_by_the_key_of_their_shard(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    sandbox.limits.identify = Limits().identify
    sandbox.gateway.max_concurrency = 2
    async with AsyncExitStack() as stack:
        bots = [await stack.enter_async_context(RawBot(sandbox, session)) for _ in range(4)]
        await bots[0].identify(shard=[0, 4])
        await bots[1].identify(shard=[1, 4])
        for shard in (2, 3):
            await bots[shard].send(2, {"token": sandbox.token, "intents": 1, "shard": [shard, 4]})
            assert await bots[shard].frame() == TOO_EARLY
        clock.advance(5.0)
        await bots[3].identify(shard=[3, 4])
        await bots[2].identify(shard=[2, 4])
    assert sandbox.refused["identify"] == 2


async def test_a_shard_that_is_identified_twice_has_two_sessions(
    shards: list[RawBot], sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    guild = guilds_of(sandbox, 1)[0]
    async with RawBot(sandbox, session) as second:
        await second.identify(shard=[1, COUNT])
        sandbox.say("Mia", "twice", where=next(iter(guild.channels)))
        assert (await shards[1].event("MESSAGE_CREATE"))["id"] == (await second.event("MESSAGE_CREATE"))["id"]


async def test_a_resumed_shard_gets_what_its_guilds_missed(
    shards: list[RawBot], sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    lost = shards[1]
    await lost.socket.close(code=4000)
    await sandbox.wait_for(lambda: len(sandbox.gateway.connections) == COUNT - 1, timeout=WAIT_TIMEOUT)
    for number in range(COUNT):
        sandbox.say("Mia", f"in {number}", where=next(iter(guilds_of(sandbox, number)[0].channels)))
    async with RawBot(sandbox, session) as again:
        await again.resume(lost.ready["session_id"], lost.seq)
        frames = [await again.frame() for _ in range(2)]
    assert [frame["t"] for frame in frames] == ["MESSAGE_CREATE", "RESUMED"]
    assert frames[0]["d"]["guild_id"] == str(guilds_of(sandbox, 1)[0].id)


async def test_the_state_shows_the_shards_and_what_was_refused(
    shards: list[RawBot], sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    async with RawBot(sandbox, session) as raw:
        await raw.send(2, {"token": sandbox.token, "intents": 1, "shard": [3, 3]})
        await raw.close_code()
    async with SandboxClient(sandbox.url) as client:
        gateway = (await client.state())["gateway"]
    assert (gateway["shards"], gateway["refused"]) == ([[0, 3], [1, 3], [2, 3]], {"4010": 1})


async def test_a_bot_lists_its_guilds_in_pages(sandbox: SandboxDiscord, api: Api) -> None:
    add_guilds(sandbox, 350)
    first = (await api("GET", "/users/@me/guilds")).body
    second = (await api("GET", f"/users/@me/guilds?after={first[-1]['id']}&limit=200")).body
    assert [guild["id"] for guild in first + second] == [str(guild_id) for guild_id in sandbox.world.guilds]
    assert (len(first), len(second)) == (200, 150)
