"""Registering commands: what Discord accepts, and what it stores."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.discord.rules.commands import is_name
from sandbox.discord.server import SandboxDiscord
from tests.unit.sandbox.discord.clients import Api

Json = dict[str, Any]


def command(name: str = "game", **fields: Any) -> Json:
    return {"name": name, "description": "Sessions", **fields}


def text(name: str = "title", **fields: Any) -> Json:
    return {"type": 3, "name": name, "description": "Some text", **fields}


@pytest.fixture
def path(sandbox: SandboxDiscord) -> str:
    return f"/applications/{sandbox.world.bot.id}/commands"


async def test_an_overwrite_keeps_the_ids_of_unchanged_names(api: Api, path: str) -> None:
    first = (await api("PUT", path, [command("game"), command("help")])).body
    second = (await api("PUT", path, [command("game", description="New"), command("other")])).body
    assert second[0]["id"] == first[0]["id"]
    assert [command["name"] for command in (await api("GET", path)).body] == ["game", "other"]
    assert second[0]["description"] == "New"


async def test_commands_are_created_edited_and_deleted(api: Api, path: str) -> None:
    created = await api("POST", path, command())
    again = await api("POST", path, command(description="Again"))
    assert (created.status, again.status, again.body["id"]) == (201, 200, created.body["id"])
    one = f"{path}/{created.body['id']}"
    assert (await api("PATCH", one, {"description": "Edited"})).body["description"] == "Edited"
    assert (await api("DELETE", one)).status == 204
    assert (await api("GET", one)).body["code"] == 10063


async def test_a_guild_s_command_hides_the_global_one(api: Api, path: str, sandbox: SandboxDiscord) -> None:
    guild = next(iter(sandbox.world.guilds))
    await api("PUT", path, [command(description="Global"), command("help")])
    await api("PUT", path.replace("/commands", f"/guilds/{guild}/commands"), [command(description="Here")])
    leaves = sandbox.engine.invoker.commands("Mia", "game-night")
    assert [(leaf.name, leaf.description) for leaf in leaves] == [("game", "Here"), ("help", "Sessions")]


async def test_only_commands_for_direct_messages_are_shown_there(api: Api, path: str, sandbox: SandboxDiscord) -> None:
    await api("PUT", path, [command("anywhere"), command("guild", contexts=[0]), command("old", dm_permission=False)])
    leaves = sandbox.engine.invoker.commands("Mia", sandbox.world.open_dm("Mia"))
    assert [leaf.name for leaf in leaves] == ["anywhere"]


LONG = [
    text(f"o{number}", description="x" * 100, choices=[{"name": "y" * 100, "value": "z" * 100}] * 2)
    for number in range(20)
]


@pytest.mark.parametrize(
    ("body", "where", "code"),
    [
        (command("Game"), "0.name", "APPLICATION_COMMAND_INVALID_NAME"),
        (command("a game"), "0.name", "APPLICATION_COMMAND_INVALID_NAME"),
        (command("x" * 33), "0.name", "APPLICATION_COMMAND_INVALID_NAME"),
        (command(description="x" * 101), "0.description", "BASE_TYPE_BAD_LENGTH"),
        (command(description=""), "0.description", "BASE_TYPE_REQUIRED"),
        (command(options=[text(f"o{n}") for n in range(26)]), "0.options", "BASE_TYPE_BAD_LENGTH"),
        (
            command(options=[text("a"), text("b", required=True)]),
            "0.options.1.required",
            "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
        ),
        (command(options=[text("a"), text("a")]), "0.options.1.name", "APPLICATION_COMMAND_OPTIONS_NAME_DUPLICATE"),
        (
            command(options=[text(choices=[{"name": "c", "value": str(n)} for n in range(26)])]),
            "0.options.0.choices",
            "BASE_TYPE_BAD_LENGTH",
        ),
        (
            command(options=[text(choices=[{"name": "c", "value": "v"}], autocomplete=True)]),
            "0.options.0.autocomplete",
            "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID",
        ),
        (command(options=[{**text(), "type": 12}]), "0.options.0.type", "BASE_TYPE_CHOICES"),
        (
            command(options=[text(), {"type": 1, "name": "sub", "description": "x"}]),
            "0.options",
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
        ),
        (command(options=LONG), "0", "APPLICATION_COMMAND_TOO_LARGE"),
        (command(type=7), "0.type", "BASE_TYPE_CHOICES"),
    ],
)
async def test_invalid_commands_are_rejected(api: Api, path: str, body: Json, where: str, code: str) -> None:
    reply = await api("PUT", path, [body])
    assert (reply.status, reply.body["code"]) == (400, 50035)
    node = reply.body["errors"]
    for step in where.split("."):
        node = node[step]
    assert code in [error["code"] for error in node["_errors"]]
    assert (await api("GET", path)).body == []


async def test_names_are_unique_and_their_number_is_limited(api: Api, path: str) -> None:
    twice = await api("PUT", path, [command(), command()])
    assert twice.body["errors"]["1"]["name"]["_errors"][0]["code"] == "APPLICATION_COMMANDS_DUPLICATE_NAME"
    many = await api("PUT", path, [command(f"c{number}") for number in range(101)])
    assert (many.status, many.body["code"]) == (400, 30032)


async def test_commands_of_another_application_are_rejected(api: Api) -> None:
    assert (await api("GET", "/applications/1/commands")).body["code"] == 10002


@pytest.mark.parametrize("name", ["game", "日本", "ça-va", "it's", "a_b-c", "สวัสดี", "1"])
def test_names_in_any_script_are_valid(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "Game", "a b", "a.b", "x" * 33, "É"])
def test_invalid_names_are_rejected(name: str) -> None:
    assert not is_name(name)
