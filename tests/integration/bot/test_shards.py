"""Several shards in one or several processes, with unmodified discord.py, the sandbox's rules and a real database."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot import identify_turns
from bot.connections import Connections
from bot.delivery.rate_limits import RateLimiter
from bot.gateway import GatewayOptions
from bot.gateway_state import GatewayState
from bot.identify_turns import IdentifyTurns
from bot.shards import Shard
from sandbox.discord.faults.model import CloseGateway, DropGateway, InvalidSession
from sandbox.discord.rate_limits import Window
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.database import Sessions
from shared.errors import ConfigurationError
from shared.schedule.retry import Backoff
from shared.settings import BotSettings, DatabaseSettings, DiscordSettings, Timing
from tests.integration.bot.conftest import reply_text
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT, eventually

INTERVAL = 0.3
COUNT = 4


@pytest.fixture(autouse=True)
def short_interval(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxDiscord) -> None:
    """Let Discord and the bot agree on less than 5 seconds between two IDENTIFYs."""
    monkeypatch.setattr(identify_turns, "INTERVAL", INTERVAL + 0.1)
    sandbox.limits.identify = Window(1, INTERVAL)
    for number in range(20):
        sandbox.world.add_guild(f"Guild {number}", owner="Mia", channels={"games": ()})


@asynccontextmanager
async def connecting(
    discord: DiscordSettings, sessions: Sessions, settings: BotSettings
) -> AsyncIterator[tuple[asyncio.Task[None], GatewayState]]:
    """Run one process's connections for a block."""
    state = GatewayState()
    backoff = Backoff(first=0.05, longest=0.2)
    connections = Connections(discord, sessions, settings, GatewayOptions(limiter=RateLimiter(), state=state), backoff)
    running = asyncio.create_task(connections.run())
    try:
        yield running, state
    finally:
        running.cancel()
        await asyncio.wait([running])


@asynccontextmanager
async def processes(
    discord: DiscordSettings, sessions: Sessions, *, number: int, shards: int = COUNT
) -> AsyncIterator[list[GatewayState]]:
    """Connect all processes of a bot for a block."""
    async with AsyncExitStack() as stack:
        states = []
        for ordinal in range(number):
            settings = BotSettings(shards=shards, processes=number, ordinal=ordinal)
            _, state = await stack.enter_async_context(connecting(discord, sessions, settings))
            states.append(state)
        await eventually(lambda: all(state.problem() is None for state in states))
        yield states


def connected_shards(sandbox: SandboxDiscord) -> list[tuple[int, int]]:
    return [(shard.id, shard.count) for shard in sandbox.gateway.connected_shards]


def channel_of(sandbox: SandboxDiscord, shard: int, count: int = COUNT) -> int:
    """Return a channel of a server of a shard."""
    guilds = (guild for guild in sandbox.world.guilds.values() if (guild.id >> 22) % count == shard)
    return next(iter(next(guilds).channels))


@pytest.mark.parametrize("number", [1, 3])
async def test_commands_of_every_server_are_answered_by_the_process_that_has_its_shard(
    number: int, sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    async with processes(discord_settings, database.sessions, number=number):
        assert connected_shards(sandbox) == [(shard, COUNT) for shard in range(COUNT)]
        for shard in range(COUNT):
            request = sandbox.slash("Mia", "settings server", zone="Asia/Tokyo", in_channel=channel_of(sandbox, shard))
            assert "Asia/Tokyo" in await reply_text(request)
    assert not sandbox.gateway.refused
    assert sandbox.refused["identify"] == 0, "no shard identified too soon after another"


async def test_shards_with_different_keys_do_not_wait_for_each_other(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identify_turns, "INTERVAL", 2 * WAIT_TIMEOUT)
    sandbox.gateway.max_concurrency = COUNT
    async with processes(discord_settings, database.sessions, number=1):
        assert len(connected_shards(sandbox)) == COUNT


async def test_one_process_registers_the_commands(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    second = BotSettings(shards=2, processes=2, ordinal=1)
    async with connecting(discord_settings, database.sessions, second) as (_, state):
        await eventually(lambda: state.problem() is None)
        assert sandbox.world.commands.all(None) == []
    first = BotSettings(shards=2, processes=2, ordinal=0)
    async with connecting(discord_settings, database.sessions, first) as (_, state):
        await eventually(lambda: state.problem() is None)
        assert sandbox.world.commands.all(None)


@pytest.mark.parametrize("fault", [DropGateway(), InvalidSession()])
async def test_shards_that_are_lost_connect_again(
    fault: DropGateway | InvalidSession, sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    async with processes(discord_settings, database.sessions, number=2) as states:
        before = set(sandbox.gateway.connections)
        sandbox.faults.add(fault)
        await sandbox.wait_for(
            lambda: len(connected_shards(sandbox)) == COUNT and not before & sandbox.gateway.connections,
            timeout=WAIT_TIMEOUT,
        )
        await eventually(lambda: all(state.problem() is None for state in states))
        assert sandbox.refused["identify"] == 0


async def test_a_shard_that_is_refused_leaves_the_others_connected(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    settings = BotSettings(shards=3)
    async with connecting(discord_settings, database.sessions, settings) as (_, state):
        await eventually(lambda: len(connected_shards(sandbox)) == 1)
        fault = sandbox.faults.add(CloseGateway(4013), times=1)
        await eventually(lambda: fault.fired and len(connected_shards(sandbox)) == 2)
        await eventually(lambda: "not connected yet" not in (state.problem() or ""))
        assert "code 4013: invalid intents" in (state.problem() or "")


async def test_a_bot_that_asks_for_it_has_as_many_shards_as_discord_recommends(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    sandbox.gateway.recommended_shards = 3
    async with connecting(discord_settings, database.sessions, BotSettings(shards="auto")) as (_, state):
        await eventually(lambda: state.problem() is None and len(connected_shards(sandbox)) == 3)
        assert connected_shards(sandbox) == [(shard, 3) for shard in range(3)]


async def test_a_bot_that_outgrows_its_shards_gets_more(
    sandbox: SandboxDiscord,
    discord_settings: DiscordSettings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sandbox.discord.gateway.gateway.GUILDS_AT_MOST", 15)
    monkeypatch.setattr("bot.gateway_errors.REFUSED_PAUSE", 0.1)
    sandbox.gateway.recommended_shards = 1
    async with connecting(discord_settings, database.sessions, BotSettings(shards="auto")) as (_, state):
        await eventually(lambda: "set QUESTBELL_BOT_SHARDS" in (state.problem() or ""))
        sandbox.gateway.recommended_shards = 4
        await eventually(lambda: state.problem() is None and len(connected_shards(sandbox)) == 4)


async def test_a_wrong_token_ends_all_shards(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    sandbox.gateway.token = "another"
    for settings in (BotSettings(shards="auto"), BotSettings(shards=2)):
        async with connecting(discord_settings, database.sessions, settings) as (running, _):
            await asyncio.wait([running], timeout=WAIT_TIMEOUT)
            error = running.exception()
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            assert isinstance(error, ConfigurationError)


async def identify(turns: IdentifyTurns, at: list[float]) -> None:
    async with turns.take(Shard()) as end_turn:
        at.append(asyncio.get_running_loop().time())
        await end_turn()


async def test_the_shards_of_several_processes_identify_one_after_the_other(database: Database) -> None:
    at: list[float] = []
    own = [IdentifyTurns(database.sessions, is_alone=False) for _ in range(3)]
    await asyncio.gather(*(identify(turns, at) for turns in own for _ in range(2)))
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert len(gaps) == 5
    assert min(gaps) >= INTERVAL


async def test_a_turn_that_is_never_used_ends(database: Database) -> None:
    first, second = (IdentifyTurns(database.sessions, is_alone=False) for _ in range(2))
    with pytest.raises(ConnectionError):
        async with first.take(Shard()):
            raise ConnectionError
    async with asyncio.timeout(WAIT_TIMEOUT), second.take(Shard()):
        pass


async def test_shards_connect_without_the_database(timing: Timing) -> None:
    nowhere, at = DatabaseSettings(url=SecretStr("postgresql://u@127.0.0.1:9/db")), list[float]()
    async with db.engine(nowhere, application_name="test", timing=timing) as engine:
        with capture_logs() as logged:
            await identify(IdentifyTurns(db.sessions(engine), is_alone=False), at)
    assert len(at) == 1
    assert [line["action"] for line in logged] == ["turn_unknown"]


async def test_a_process_that_keeps_the_turn_does_not_stop_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identify_turns, "LOCK_TIMEOUT", 0.5)
    frozen, turns = (IdentifyTurns(database.sessions, is_alone=False) for _ in range(2))
    at: list[float] = []
    async with frozen.take(Shard()):
        await identify(turns, at)
    assert len(at) == 1
