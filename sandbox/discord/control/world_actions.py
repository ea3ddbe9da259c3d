"""Changing the world over HTTP: users close their DMs, channels are deleted, permissions are lost.

One route takes the action's name in the body. The actions are the methods of `World`, so a route for each would only
repeat them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from sandbox.discord.control.requests import read_json, take
from sandbox.discord.control.views import channel_view, guild_view, user_view
from sandbox.discord.engine import Engine
from sandbox.discord.rest.replies import reply
from sandbox.discord.world.entities import Guild

Json = dict[str, Any]


async def change_world(engine: Engine, request: web.Request) -> web.Response:
    """`{"do": "close_dms", "user": "Mia"}`: do it and return what was created, or `{}`."""
    body = await read_json(request)
    action = take(body, "do", str)
    if action not in _ACTIONS:
        raise ValueError(f"unknown action {action!r}; known: {', '.join(_ACTIONS)}")
    return reply(_ACTIONS[action](engine, body))


def _add_guild(engine: Engine, body: Json) -> Json:
    guild = engine.world.add_guild(take(body, "name", str), owner=take(body, "owner"))
    return guild_view(engine, guild)


def _add_channel(engine: Engine, body: Json) -> Json:
    return channel_view(engine.world.add_channel(_guild(engine, body), take(body, "name", str)))


def _add_member(engine: Engine, body: Json) -> Json:
    """Add an existing user to a guild, or a new one with that name."""
    name = take(body, "user")
    try:
        user = engine.world.user(name)
    except LookupError:
        user = engine.world.add_user(str(name))
    engine.world.add_member(_guild(engine, body), user)
    return user_view(user)


def _remove_member(engine: Engine, body: Json) -> Json:
    engine.world.remove_member(_guild(engine, body), take(body, "user"))
    return {}


def _delete_channel(engine: Engine, body: Json) -> Json:
    engine.world.delete_channel(take(body, "channel"))
    return {}


def _delete_message(engine: Engine, body: Json) -> Json:
    message = engine.world.message(int(take(body, "message")))
    if message is None:
        raise LookupError(f"there is no message {body['message']}")
    engine.messaging.delete(message)
    return {}


def _add_thread(engine: Engine, body: Json) -> Json:
    """Create a thread in a channel, owned by a user; `private` ones show only to their `members`."""
    thread = engine.world.add_thread(
        take(body, "channel"),
        take(body, "name", str),
        owner=take(body, "owner"),
        members=take(body, "members", list, []),
        private=take(body, "private", bool, False),
        auto_archive_minutes=take(body, "auto_archive_minutes", int, 1440),
    )
    return channel_view(thread)


def _change_thread(engine: Engine, body: Json) -> Json:
    """Archive, open, lock or unlock a thread."""
    wanted = {name: take(body, name, bool) for name in ("archived", "locked") if name in body}
    engine.world.change_thread(take(body, "thread"), **wanted)
    return {}


def _close_dms(engine: Engine, body: Json) -> Json:
    engine.world.close_dms(take(body, "user"), closed=take(body, "closed", bool, True))
    return {}


def _deny(engine: Engine, body: Json) -> Json:
    engine.world.deny(take(body, "channel"), *take(body, "permissions", list))
    return {}


def _restore(engine: Engine, body: Json) -> Json:
    engine.world.restore(take(body, "channel"))
    return {}


def _guild(engine: Engine, body: Json) -> Guild:
    """Return the guild that the body names by id or name, by default the first."""
    wanted = take(body, "guild", default=None)
    for guild in engine.world.guilds.values():
        if wanted is None or str(wanted) in (str(guild.id), guild.name):
            return guild
    raise LookupError(f"there is no guild {wanted!r}")


_ACTIONS: dict[str, Callable[[Engine, Json], Json]] = {
    "add_guild": _add_guild,
    "add_channel": _add_channel,
    "add_member": _add_member,
    "remove_member": _remove_member,
    "delete_channel": _delete_channel,
    "delete_message": _delete_message,
    "add_thread": _add_thread,
    "change_thread": _change_thread,
    "close_dms": _close_dms,
    "deny": _deny,
    "restore": _restore,
}
