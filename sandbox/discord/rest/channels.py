"""Channels and guilds. The bot under test only reads them, and opens archived threads.

Source: https://docs.discord.com/developers/resources/channel and /resources/guild
"""

from __future__ import annotations

from aiohttp import web

from sandbox.discord.engine import Engine
from sandbox.discord.rest.bodies import read_body
from sandbox.discord.rest.pipeline import Route
from sandbox.discord.rest.replies import no_content, reply
from sandbox.discord.rules.access import may_manage_thread, may_send, may_unarchive, visible_channel
from sandbox.discord.rules.errors import api_error
from sandbox.discord.world.entities import Guild
from sandbox.discord.world.payloads import (
    channel_payload,
    guild_payload,
    member_payload,
    role_payload,
)

MOST_MEMBERS = 1000


async def get_channel(engine: Engine, request: web.Request) -> web.Response:
    """A channel (10003, 50001)."""
    return reply(channel_payload(visible_channel(engine.world, int(request.match_info["channel_id"]))))


async def change_channel(engine: Engine, request: web.Request) -> web.Response:
    """Archive, open, lock or unlock a thread. Other channels are not changed by the bot under test (50024)."""
    world, channel = engine.world, visible_channel(engine.world, int(request.match_info["channel_id"]))
    if channel.thread is None:
        raise api_error(50024)
    body, _ = await read_body(engine, request)
    wanted = {name: body[name] for name in ("archived", "locked") if isinstance(body.get(name), bool)}
    if wanted == {"archived": False}:
        may_unarchive(world, channel)
    else:
        may_manage_thread(world, channel)
    world.change_thread(channel, **wanted)
    return reply(channel_payload(channel))


async def start_typing(engine: Engine, request: web.Request) -> web.Response:
    """The bot "is typing": accepted and not shown."""
    may_send(engine.world, visible_channel(engine.world, int(request.match_info["channel_id"])))
    return no_content()


async def get_guild(engine: Engine, request: web.Request) -> web.Response:
    """A guild (10004)."""
    guild = _guild(engine, request)
    count = len(guild.members)
    return reply({**guild_payload(guild), "approximate_member_count": count, "approximate_presence_count": count})


async def list_channels(engine: Engine, request: web.Request) -> web.Response:
    """All channels of a guild, seen or not."""
    return reply([channel_payload(channel) for channel in _guild(engine, request).channels.values()])


async def list_roles(engine: Engine, request: web.Request) -> web.Response:
    """All roles of a guild."""
    return reply([role_payload(role) for role in _guild(engine, request).roles.values()])


async def list_members(engine: Engine, request: web.Request) -> web.Response:
    """A page of a guild's members, by id."""
    guild = _guild(engine, request)
    after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", 1))
    ids = sorted(user_id for user_id in guild.members if user_id > after)[: min(limit, MOST_MEMBERS)]
    return reply([member_payload(guild.members[user_id]) for user_id in ids])


async def search_members(engine: Engine, request: web.Request) -> web.Response:
    """The members whose name begins with the query."""
    query, limit = request.query.get("query", "").casefold(), int(request.query.get("limit", 1))
    members = _guild(engine, request).members.values()
    found = [member for member in members if member.user.name.casefold().startswith(query)]
    return reply([member_payload(member) for member in found[: min(limit, MOST_MEMBERS)]])


async def get_member(engine: Engine, request: web.Request) -> web.Response:
    """A member of a guild (10007)."""
    member = _guild(engine, request).members.get(int(request.match_info["user_id"]))
    if member is None:
        raise api_error(10007)
    return reply(member_payload(member))


def _guild(engine: Engine, request: web.Request) -> Guild:
    guild = engine.world.guilds.get(int(request.match_info["guild_id"]))
    if guild is None or engine.world.bot.id not in guild.members:
        raise api_error(10004)
    return guild


ROUTES = (
    Route("GET", "/channels/{channel_id:\\d+}", get_channel),
    Route("PATCH", "/channels/{channel_id:\\d+}", change_channel),
    Route("POST", "/channels/{channel_id:\\d+}/typing", start_typing),
    Route("GET", "/guilds/{guild_id:\\d+}", get_guild),
    Route("GET", "/guilds/{guild_id:\\d+}/channels", list_channels),
    Route("GET", "/guilds/{guild_id:\\d+}/roles", list_roles),
    Route("GET", "/guilds/{guild_id:\\d+}/members", list_members),
    Route("GET", "/guilds/{guild_id:\\d+}/members/search", search_members),
    Route("GET", "/guilds/{guild_id:\\d+}/members/{user_id:\\d+}", get_member),
)
