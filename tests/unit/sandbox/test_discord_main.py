"""`questbell sandbox-discord` as a process, and how it seeds the demo while the rest is still starting."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from sandbox.demo.workload import Workload
from sandbox.discord import demo_script
from sandbox.discord import main as discord_main
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.messages import Message
from sandbox.servers.errors import ServerFailedError
from sandbox.servers.network import free_port
from shared.schedule.retry import Backoff
from tests.support.waiting import WAIT_TIMEOUT
from tests.unit.sandbox.discord.clients import RawBot

PUBLIC = "http://discord.example:8090"


async def test_it_serves_clients_at_the_public_address_and_stops_cleanly(tmp_path: Path) -> None:
    port = free_port()
    settings = {"DISCORD_TOKEN": "fixed", "QUESTBELL_DISCORD_PORT": str(port), "QUESTBELL_DISCORD_PUBLIC_URL": PUBLIC}
    async with Workload("sandbox-discord", directory=tmp_path, settings=settings), aiohttp.ClientSession() as http:
        api, who = f"http://127.0.0.1:{port}/api/v10", {"Authorization": "Bot fixed"}
        async with http.get(f"{api}/gateway/bot", headers=who) as answer:
            assert (await answer.json())["url"] == "ws://discord.example:8090/gateway"
        async with http.get(f"{api}/users/@me", headers={"Authorization": "Bot other"}) as answer:
            assert answer.status == 401
        async with http.get(f"http://127.0.0.1:{port}/sandbox/state") as answer:
            channel = (await answer.json())["guilds"][0]["channels"][0]["id"]
        async with http.post(f"{api}/channels/{channel}/messages", json={"content": "Hello"}, headers=who) as answer:
            assert answer.status == 200
    lines = [json.loads(line) for line in (tmp_path / "sandbox-discord.log").read_text().splitlines()]
    heard = next(line for line in lines if line["action"] == "message_create")
    assert (heard["text"], heard["channel"]) == ("Hello", "game-night")
    assert lines[-1]["action"] == "stopped"


async def test_a_port_in_use_is_reported_without_a_traceback(tmp_path: Path) -> None:
    async with SandboxDiscord() as other:
        port = other.url.rpartition(":")[2]
        workload = Workload(
            "sandbox-discord", directory=tmp_path, settings={"DISCORD_TOKEN": "fixed", "QUESTBELL_DISCORD_PORT": port}
        )
        with pytest.raises(ServerFailedError, match="questbell: QUESTBELL_DISCORD_PORT: cannot listen on"):
            await workload.process.start()
    assert "Traceback" not in workload.log.read_text()


async def test_the_demo_games_wait_for_the_bot_and_continue_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    async def create_game(discord: SandboxDiscord, game: demo_script.DemoGame) -> Message:
        done.append(f"create {game.title}")
        return discord.say("Mia", game.title, where=demo_script.CHANNEL)

    async def answer_game(discord: SandboxDiscord, post: Message, game: demo_script.DemoGame) -> None:
        done.append(f"answer {post.content}")
        if len(done) == 2:
            raise demo_script.DemoScriptError("not now")

    def announcement(discord: SandboxDiscord, game: demo_script.DemoGame) -> Message | None:
        posts = discord.messages(demo_script.CHANNEL)
        return next((post for post in posts if post.content == game.title), None)

    for replaced in (create_game, answer_game, announcement):
        monkeypatch.setattr(demo_script, replaced.__name__, replaced)
    monkeypatch.setattr(discord_main, "SEED_BACKOFF", Backoff(first=0.01, longest=0.01))
    async with SandboxDiscord() as sandbox, aiohttp.ClientSession() as http, asyncio.timeout(WAIT_TIMEOUT):
        seeding = asyncio.create_task(discord_main.seed_demo_games(sandbox))
        async with RawBot(sandbox, http) as bot:
            assert not done
            await bot.identify()
            await seeding
    first, second = (game.title for game in demo_script.DEMO_GAMES)
    assert done == [f"create {first}", f"answer {first}", f"answer {first}", f"create {second}", f"answer {second}"]
