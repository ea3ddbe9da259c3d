"""Driving the sandbox from outside: the control API by its client, the event stream, and the page."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

import aiohttp
import pytest

from sandbox.discord.client import SandboxClient, SandboxError
from sandbox.discord.faults.model import Status
from sandbox.discord.server import SandboxDiscord
from tests.support.waiting import WAIT_TIMEOUT
from tests.unit.sandbox.discord.clients import Api, RawBot
from tests.unit.sandbox.discord.test_interactions import GAME, JOIN, answer

STATIC = files("sandbox.discord.page") / "static"


@pytest.fixture
async def client(sandbox: SandboxDiscord) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(sandbox.url) as client:
        yield client


async def test_a_command_and_a_click_from_another_process(
    client: SandboxClient, bot: RawBot, api: Api, sandbox: SandboxDiscord
) -> None:
    await api("PUT", f"/applications/{sandbox.world.bot.id}/commands", [GAME])
    asking = asyncio.ensure_future(client.slash("Mia", "game create", title="Dragons", finish=5))
    interaction = await bot.event("INTERACTION_CREATE")
    await answer(api, interaction, 5)
    original = f"/webhooks/{sandbox.world.bot.id}/{interaction['token']}/messages/@original"
    await api("PATCH", original, {"content": "planned", "components": JOIN})
    result = await asking
    assert (result["answer"], result["finished"], result["message"]["content"]) == ("deferred_message", True, "planned")
    clicking = asyncio.ensure_future(client.click("Ben", result["message"]["id"], "join"))
    await answer(api, await bot.event("INTERACTION_CREATE"), 7, {"content": "Ben is in"})
    assert (await clicking)["message"]["content"] == "Ben is in"


async def test_a_modal_from_another_process(client: SandboxClient, bot: RawBot, api: Api, game_night: int) -> None:
    message = (await api.send(game_night, "card", components=JOIN)).body["id"]
    clicking = asyncio.ensure_future(client.click("Ben", message, "join"))
    text = {"type": 4, "custom_id": "name", "style": 1}
    form = {"title": "Who?", "custom_id": "m", "components": [{"type": 18, "label": "Name", "component": text}]}
    await answer(api, await bot.event("INTERACTION_CREATE"), 9, form)
    opened = await clicking
    assert opened["modal"] == form
    sending = asyncio.ensure_future(client.submit_modal("Ben", opened["id"], {"name": "Ben"}))
    await answer(api, await bot.event("INTERACTION_CREATE"), 4, {"content": "hello", "flags": 64})
    assert (await sending)["ephemeral"]


async def test_a_mistake_is_explained_in_a_sentence(client: SandboxClient) -> None:
    with pytest.raises(SandboxError, match="has no command /nothing here; there is none: no bot has registered any"):
        await client.slash("Mia", "nothing")
    with pytest.raises(SandboxError, match="unknown action 'fly'"):
        await client.change_world("fly")
    with pytest.raises(SandboxError, match="there is no user 'Nobody'"):
        await client.say("Nobody", "hello")
    with pytest.raises(SandboxError, match="'user' is missing"):
        await client.change_world("close_dms")


async def test_evidence_can_be_read_from_a_position(client: SandboxClient, api: Api, game_night: int) -> None:
    await api.send(game_night, "one")
    await api.send(game_night, "two")
    [second] = await client.evidence(after=1)
    assert (second["number"], second["content"], second["channel_id"]) == (2, "two", str(game_night))


async def test_a_client_can_wait_for_evidence(client: SandboxClient, api: Api, game_night: int) -> None:
    waiting = asyncio.ensure_future(client.wait_for_evidence(lambda records: len(records) == 2, timeout=WAIT_TIMEOUT))
    await api.send(game_night, "one")
    await api.send(game_night, "two")
    assert [record["content"] for record in await waiting] == ["one", "two"]
    with pytest.raises(TimeoutError):
        await client.wait_for_evidence(lambda records: len(records) == 3, timeout=0.05)


async def test_faults_are_turned_on_listed_and_cleared(client: SandboxClient, api: Api, game_night: int) -> None:
    await client.add_fault(Status(503), match={"channel": "game-night"}, times=1, label="outage")
    assert (await api.send(game_night)).status == 503
    [fault] = await client.faults()
    assert (fault["label"], fault["fired"], fault["on"]) == ("outage", 1, False)
    assert fault["match"] == {"channel": str(game_night)}
    await client.clear_faults()
    assert await client.faults() == []
    with pytest.raises(SandboxError, match="a fault has action, match"):
        await client.add_fault(Status(503), often=True)


async def test_limits_are_changed(client: SandboxClient, api: Api, game_night: int) -> None:
    changed = await client.set_limits(create_message=[1, 60])
    assert changed["create_message"] == [1, 60.0]
    assert [(await api.send(game_night)).status for _ in range(2)] == [200, 429]


async def test_the_world_is_changed(client: SandboxClient, sandbox: SandboxDiscord) -> None:
    await client.change_world("add_guild", name="Second Hall", owner="Priya")
    await client.change_world("add_channel", guild="Second Hall", name="lobby")
    await client.change_world("add_member", guild="Second Hall", user="Newcomer")
    await client.change_world("close_dms", user="Ben")
    await client.change_world("deny", channel="off-topic", permissions=["SEND_MESSAGES"])
    said = await client.say("Mia", "oops", in_channel="off-topic")
    await client.change_world("delete_message", message=said["id"])
    await client.change_world("delete_channel", channel="announcements")
    state = await client.state()
    [_, hall] = state["guilds"]
    assert [channel["name"] for channel in hall["channels"]] == ["lobby"]
    assert len(hall["members"]) == 3
    assert [user["name"] for user in state["users"] if user["dms_closed"]] == ["Ben"]
    assert await client.messages("off-topic") == []
    assert "announcements" not in {channel.name for channel in sandbox.world.channels.values()}


async def test_other_origins_cannot_drive_it(sandbox: SandboxDiscord, session: aiohttp.ClientSession) -> None:
    body = json.dumps({"user": "Mia", "text": "forged"})
    async with session.post(f"{sandbox.url}/sandbox/say", data=body, headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 400
    assert sandbox.evidence == []


async def events(session: aiohttp.ClientSession, sandbox: SandboxDiscord) -> AsyncIterator[tuple[str, Any]]:
    async with session.get(f"{sandbox.url}/sandbox/events") as stream:
        name = ""
        async for line in stream.content:
            field, _, value = line.decode().strip().partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)
            elif field == "retry":
                yield "open", None


async def test_the_stream_sends_messages_one_by_one_and_other_changes_in_batches(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    stream = events(session, sandbox)
    assert await anext(stream) == ("open", None)
    said = sandbox.say("Mia", "<b>hello</b>")
    name, data = await anext(stream)
    assert (name, data["content"], data["sandbox"]["visible_to"]) == ("message_create", "<b>hello</b>", None)
    sandbox.engine.messaging.delete(said)
    assert await anext(stream) == ("message_delete", {"id": str(said.id), "channel_id": str(said.channel.id)})
    sandbox.world.close_dms("Ben")
    sandbox.world.close_dms("Priya")
    assert await anext(stream) == ("world", {})
    sandbox.faults.add(Status(500))
    assert await anext(stream) == ("faults", {})
    await stream.aclose()  # type: ignore[attr-defined] -- an async generator, typed as the iterator it is used as


async def test_the_page_has_a_policy_that_forbids_foreign_scripts(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession
) -> None:
    async with session.get(sandbox.url) as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    linked = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(linked) >= 5
    for path in linked:
        async with session.get(sandbox.url + path) as answer:
            assert answer.status == 200
    async with session.get(f"{sandbox.url}/static/secrets.js") as answer:
        assert answer.status == 404


def test_the_page_never_parses_text_as_markup_and_loads_nothing_from_other_hosts() -> None:
    for source in STATIC.iterdir():
        text = source.read_text(encoding="utf-8")
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", code), source
        assert not re.search(r"""(?:src|href|url|import)\s*[=(]\s*["']?https?:""", code), source


def test_every_module_that_the_page_imports_exists() -> None:
    for source in STATIC.iterdir():
        for name in re.findall(r'from "\./([^"]+)"', source.read_text(encoding="utf-8")):
            assert (STATIC / name).is_file(), f"{source.name} imports {name}"
