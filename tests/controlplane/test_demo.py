"""The demo end to end, as `make demo` runs it: every server, and both workloads as processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process

import pytest

from sandbox.discord import demo_script
from sandbox.discord.server import SandboxDiscord
from tests.support.waiting import WAIT_TIMEOUT

STARTS_WITHIN = 120.0


async def run_demo(*options: str, **settings: str) -> Process:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DISCORD_")}
    command = (sys.executable, "-m", "sandbox.demo", *options)
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environment | settings)


@pytest.mark.timeout(240)
async def test_the_demo_delivers_every_reminder_exactly_once_and_in_time() -> None:
    demo = await run_demo("--once", "--json")
    output, progress = await demo.communicate()
    assert demo.returncode == 0, progress.decode()
    result = json.loads(output)
    assert (result["games"], result["reminders_due"], result["transitions_applied"]) == (2, 3, 4)
    assert (result["delivered"], result["missing"], result["doubled"], result["problems"]) == (3, 0, 0, [])
    assert result["latency_ms"]["max"] < 10_000


@pytest.mark.timeout(240)
async def test_the_demo_runs_with_another_discord_and_prints_how_to_invite_the_bot() -> None:
    async with SandboxDiscord() as discord:
        demo = await run_demo(DISCORD_TOKEN=discord.token, DISCORD_API_URL=discord.url)
        assert demo.stderr is not None
        try:
            async with asyncio.timeout(STARTS_WITHIN):
                while "Ctrl-C" not in (line := (await demo.stderr.readline()).decode()):
                    assert demo.returncode is None, line
                    if "oauth2/authorize" in line:
                        invite = line
            assert (
                f"client_id={discord.world.bot.id}&scope=bot+applications.commands&permissions=274877991936" in invite
            )
            await discord.wait_for(lambda: discord.gateway.online, timeout=WAIT_TIMEOUT)
            game = demo_script.DEMO_GAMES[0]
            assert demo_script.announcement(discord, game) is None, "people create the games here"
            post = await demo_script.create_game(discord, game)
            await demo_script.answer_game(discord, post, game)
        finally:
            demo.send_signal(signal.SIGINT)
            await demo.communicate()
        assert demo.returncode == 0
