"""Registering application commands, global and for one guild.

The same handlers serve both scopes: the guild in the path is the only difference.
Source: https://docs.discord.com/developers/interactions/application-commands#endpoints
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sandbox.discord.changes import CommandsChanged
from sandbox.discord.engine import Engine
from sandbox.discord.rest.bodies import read_body, read_list
from sandbox.discord.rest.pipeline import Route
from sandbox.discord.rest.replies import no_content, reply
from sandbox.discord.rules.commands import MAX_COMMANDS, check_command, check_registration
from sandbox.discord.rules.errors import api_error
from sandbox.discord.rules.form import Form
from sandbox.discord.world.commands import CHAT_INPUT

Json = dict[str, Any]

_KEPT = (
    "name",
    "name_localizations",
    "description",
    "description_localizations",
    "options",
    "default_member_permissions",
    "dm_permission",
    "contexts",
    "integration_types",
    "nsfw",
)


async def list_commands(engine: Engine, request: web.Request) -> web.Response:
    """The commands of a scope."""
    return reply(engine.world.commands.all(_scope(engine, request)))


async def overwrite_commands(engine: Engine, request: web.Request) -> web.Response:
    """Replace all commands of a scope; one that keeps its name keeps its id."""
    scope = _scope(engine, request)
    bodies = await read_list(request)
    check_registration(bodies)
    commands = [_stored(engine, scope, body) for body in bodies]
    engine.world.commands.replace(scope, commands)
    engine.feed.publish(CommandsChanged())
    return reply(commands)


async def create_command(engine: Engine, request: web.Request) -> web.Response:
    """Add a command, or replace the one of its name: 201 and 200."""
    scope = _scope(engine, request)
    body, _ = await read_body(engine, request)
    _check(body)
    book, kind = engine.world.commands, body.get("type") or CHAT_INPUT
    known = book.find_by_name(scope, body["name"], kind)
    if known is None and sum(command["type"] == kind for command in book.all(scope)) >= MAX_COMMANDS[kind]:
        raise api_error(30032)
    command = _stored(engine, scope, body)
    book.put(scope, command)
    engine.feed.publish(CommandsChanged())
    return reply(command, status=201 if known is None else 200)


async def get_command(engine: Engine, request: web.Request) -> web.Response:
    """One command (10063)."""
    return reply(_command(engine, request))


async def edit_command(engine: Engine, request: web.Request) -> web.Response:
    """Change some fields of a command."""
    scope = _scope(engine, request)
    known = _command(engine, request)
    body, _ = await read_body(engine, request)
    changed = {**known, **{name: body[name] for name in _KEPT if name in body}}
    _check(changed)
    changed["version"] = str(engine.world.ids.next())
    engine.world.commands.put(scope, changed)
    engine.feed.publish(CommandsChanged())
    return reply(changed)


async def delete_command(engine: Engine, request: web.Request) -> web.Response:
    """Remove a command."""
    command = _command(engine, request)
    engine.world.commands.remove(_scope(engine, request), int(command["id"]))
    engine.feed.publish(CommandsChanged())
    return no_content()


def _check(body: Json) -> None:
    form = Form()
    check_command(form, (), body)
    form.refuse()


def _scope(engine: Engine, request: web.Request) -> int | None:
    if int(request.match_info["application_id"]) != engine.world.bot.id:
        raise api_error(10002)
    guild_id = request.match_info.get("guild_id")
    if guild_id is None:
        return None
    if int(guild_id) not in engine.world.guilds:
        raise api_error(50001)
    return int(guild_id)


def _command(engine: Engine, request: web.Request) -> Json:
    command = engine.world.commands.get(_scope(engine, request), int(request.match_info["command_id"]))
    if command is None:
        raise api_error(10063)
    return command


def _stored(engine: Engine, scope: int | None, body: Json) -> Json:
    """A command as Discord returns it, with the id that it had under its name."""
    kind = body.get("type") or CHAT_INPUT
    known = engine.world.commands.find_by_name(scope, body["name"], kind)
    command: Json = {
        "id": known["id"] if known is not None else str(engine.world.ids.next()),
        "application_id": str(engine.world.bot.id),
        "version": str(engine.world.ids.next()),
        "type": kind,
        "description": "",
        "default_member_permissions": None,
        "nsfw": False,
        **{name: body[name] for name in _KEPT if name in body},
    }
    if scope is not None:
        command["guild_id"] = str(scope)
    return command


_GLOBAL = "/applications/{application_id:\\d+}/commands"
_GUILD = "/applications/{application_id:\\d+}/guilds/{guild_id:\\d+}/commands"
ROUTES = tuple(
    route
    for base in (_GLOBAL, _GUILD)
    for route in (
        Route("GET", base, list_commands),
        Route("PUT", base, overwrite_commands),
        Route("POST", base, create_command),
        Route("GET", f"{base}/{{command_id:\\d+}}", get_command),
        Route("PATCH", f"{base}/{{command_id:\\d+}}", edit_command),
        Route("DELETE", f"{base}/{{command_id:\\d+}}", delete_command),
    )
)
