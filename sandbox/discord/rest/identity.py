"""The bot's own user, other users, DMs, and the gateway's address.

Source: https://docs.discord.com/developers/resources/user and /events/gateway#get-gateway-bot
"""

from __future__ import annotations

from aiohttp import web

from sandbox.discord.engine import Engine
from sandbox.discord.rest.bodies import read_body
from sandbox.discord.rest.pipeline import OPEN_DM, Route
from sandbox.discord.rest.replies import reply
from sandbox.discord.rules.errors import api_error
from sandbox.discord.world.payloads import (
    application_payload,
    channel_payload,
    self_payload,
    user_payload,
)

MOST_GUILDS = 200


async def get_self(engine: Engine, request: web.Request) -> web.Response:
    """The bot's user."""
    return reply(self_payload(engine.world.bot))


async def get_application(engine: Engine, request: web.Request) -> web.Response:
    """The bot's application."""
    return reply(application_payload(engine.world))


async def get_user(engine: Engine, request: web.Request) -> web.Response:
    """Return any user by id (10013)."""
    user = engine.world.users.get(int(request.match_info["user_id"]))
    if user is None:
        raise api_error(10013)
    return reply(user_payload(user))


async def list_guilds(engine: Engine, request: web.Request) -> web.Response:
    """Return the guilds that the bot is in, in pages: `limit` of them after the id `after`."""
    world, after = engine.world, int(request.query.get("after", 0))
    limit = min(int(request.query.get("limit", MOST_GUILDS)), MOST_GUILDS)
    guilds = [guild for guild in world.guilds.values() if world.bot.id in guild.members and guild.id > after]
    return reply(
        [
            {
                "id": str(guild.id),
                "name": guild.name,
                "icon": None,
                "owner": False,
                "permissions": str(int(world.guild_permissions(guild, world.bot.id))),
                "features": [],
            }
            for guild in guilds[:limit]
        ]
    )


async def open_dm(engine: Engine, request: web.Request) -> web.Response:
    """Open a DM channel. Opening many new ones quickly is rejected (40003)."""
    body, _ = await read_body(engine, request)
    recipient = str(body.get("recipient_id", ""))
    user = engine.world.users.get(int(recipient)) if recipient.isdecimal() else None
    if user is None:
        raise api_error(10013)
    if user.bot:
        raise api_error(50007)
    if engine.world.dm(user) is None:
        verdict = engine.limiter.take("open_dm", "")
        if verdict is not None and not verdict.passed:
            raise api_error(40003)
    return reply(channel_payload(engine.world.open_dm(user)))


async def get_gateway(engine: Engine, request: web.Request) -> web.Response:
    """Return the gateway's address."""
    return reply({"url": engine.gateway.url})


async def get_gateway_bot(engine: Engine, request: web.Request) -> web.Response:
    """Return the gateway's address, the recommended number of shards and the session start limit."""
    gateway = engine.gateway
    return reply({"url": gateway.url, "shards": gateway.shard_count(), "session_start_limit": gateway.start_limit()})


ROUTES = (
    Route("GET", "/users/@me", get_self),
    Route("GET", "/users/@me/guilds", list_guilds),
    Route("POST", OPEN_DM, open_dm),
    Route("GET", "/users/{user_id:\\d+}", get_user),
    Route("GET", "/oauth2/applications/@me", get_application),
    Route("GET", "/applications/@me", get_application),
    Route("GET", "/gateway", get_gateway, public=True),
    Route("GET", "/gateway/bot", get_gateway_bot),
)
