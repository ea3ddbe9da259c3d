"""Threads: archived after a while or by a person, locked, private."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.discord.client import SandboxClient
from sandbox.discord.clock import ManualClock
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.entities import Channel
from tests.unit.sandbox.discord.clients import Api


@pytest.fixture
def thread(sandbox: SandboxDiscord, game_night: int) -> Channel:
    world = sandbox.world
    return world.add_thread(game_night, "one-shot", owner="Mia", members=[world.bot], auto_archive_minutes=60)


def is_archived(thread: Channel) -> bool:
    assert thread.thread is not None
    return thread.thread.archived


async def change(api: Api, thread: Channel, **fields: Any) -> int:
    """Change a thread, and return the error code or 0."""
    reply = await api("PATCH", f"/channels/{thread.id}", fields)
    return int(reply.body.get("code", 0))


async def test_a_quiet_thread_is_archived_and_a_message_opens_it(api: Api, thread: Channel, clock: ManualClock) -> None:
    message = (await api.send(thread.id)).body
    clock.advance(3601)
    edited = await api("PATCH", f"/channels/{thread.id}/messages/{message['id']}", {"content": "changed"})
    assert (edited.status, edited.body["code"], is_archived(thread)) == (400, 50083, True)
    assert (await api.send(thread.id)).status == 200
    assert not is_archived(thread)


async def test_the_bot_opens_an_archived_thread_unless_it_is_locked(
    api: Api, sandbox: SandboxDiscord, thread: Channel
) -> None:
    sandbox.world.change_thread(thread, archived=True)
    assert (await change(api, thread, archived=False), is_archived(thread)) == (0, False)
    sandbox.world.change_thread(thread, archived=True, locked=True)
    assert (await change(api, thread, archived=False), is_archived(thread)) == (50013, True)
    assert (await api.send(thread.id)).body["code"] == 160005
    assert await change(api, thread, locked=False) == 50013


async def test_a_channel_is_not_changed(api: Api, game_night: int) -> None:
    assert (await api("PATCH", f"/channels/{game_night}", {"archived": False})).body["code"] == 50024


async def test_only_its_members_see_a_private_thread(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    thread = sandbox.world.add_thread(game_night, "secret", owner="Mia", private=True)
    assert (await api.send(thread.id)).body["code"] == 50001


async def test_a_thread_is_deleted_with_its_channel(
    api: Api, sandbox: SandboxDiscord, thread: Channel, game_night: int
) -> None:
    sandbox.world.delete_channel(game_night)
    assert (await api.send(thread.id)).body["code"] == 10003


async def test_the_control_api_creates_and_archives_threads(sandbox: SandboxDiscord) -> None:
    async with SandboxClient(sandbox.url) as client:
        made = await client.change_world("add_thread", channel="game-night", name="one-shot", owner="Mia")
        await client.change_world("change_thread", thread=made["id"], archived=True)
        [guild] = (await client.state())["guilds"]
    [shown] = [channel["thread"] for channel in guild["channels"] if channel["id"] == made["id"]]
    assert (shown["archived"], shown["locked"]) == (True, False)
