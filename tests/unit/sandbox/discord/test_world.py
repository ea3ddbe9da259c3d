"""The world: deterministic, and found by the names that people use."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.discord.clock import Clock
from sandbox.discord.engine import Engine, build_engine
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.permissions import Permission
from sandbox.discord.world.snowflakes import Snowflakes, created_at
from tests.support.waiting import WAIT_TIMEOUT


@pytest.fixture
def engine() -> Engine:
    return build_engine(token="t")


def test_every_run_has_the_same_ids() -> None:
    worlds = [build_engine(token="t").world for _ in range(2)]
    first, second = ({**world.users, **world.guilds, **world.channels} for world in worlds)
    assert list(first) == list(second)
    assert len(set(first)) == len(first)


def test_ids_increase_even_if_the_clock_steps_back() -> None:
    class Stepping(Clock):
        times = iter([1_700_000_000.0, 1_600_000_000.0, 1_600_000_000.0, 1_700_000_001.0])

        def wall(self) -> float:
            return next(self.times)

    ids = Snowflakes(Stepping())
    given = [ids.next() for _ in range(4)]
    assert given == sorted(set(given))
    assert created_at(given[-1]) == 1_700_000_001.0


def test_users_and_channels_are_found_by_name_and_id(engine: Engine) -> None:
    tomas = engine.world.user("tomás")
    assert engine.world.user(tomas.id) is tomas
    assert engine.world.user(str(tomas.id)) is tomas
    channel = engine.world.channel("#game-night")
    assert engine.world.channel(channel.id) is channel
    with pytest.raises(LookupError, match=r"there are .*Mia.*Jonas"):
        engine.world.user("Nobody")
    with pytest.raises(LookupError, match="#game-night, #announcements"):
        engine.world.channel("nowhere")


def test_the_owner_and_managers_differ_from_the_others(engine: Engine) -> None:
    guild = next(iter(engine.world.guilds.values()))
    may_manage = {
        name: Permission.MANAGE_GUILD in engine.world.guild_permissions(guild, engine.world.user(name).id)
        for name in ("Mia", "Jonas", "Ben")
    }
    assert may_manage == {"Mia": True, "Jonas": True, "Ben": False}


def test_an_unknown_permission_is_named(engine: Engine) -> None:
    with pytest.raises(ValueError, match=r"unknown permission 'FLY'; known: .*SEND_MESSAGES"):
        engine.world.deny("off-topic", "FLY")


async def test_waiting_ends_when_the_condition_becomes_true(sandbox: SandboxDiscord) -> None:
    waiting = asyncio.ensure_future(sandbox.wait_for(lambda: sandbox.messages("off-topic"), timeout=WAIT_TIMEOUT))
    sandbox.say("Mia", "elsewhere", where="game-night")
    sandbox.say("Mia", "here", where="off-topic")
    assert [message.content for message in await waiting] == ["here"]


async def test_waiting_ends_at_its_timeout(sandbox: SandboxDiscord) -> None:
    with pytest.raises(TimeoutError):
        await sandbox.wait_for(lambda: False, timeout=0.01)


async def test_a_condition_that_is_already_true_needs_no_change(sandbox: SandboxDiscord) -> None:
    assert await sandbox.wait_for(lambda: "yes", timeout=0.01) == "yes"
