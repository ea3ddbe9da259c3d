"""Says hello on a server that the bot joins.

It is said once: the server's row records it first, because a second hello annoys everyone and a lost one nobody.
discord.py does not report the servers that the bot already was on as joined, so a restart says nothing.
"""

from __future__ import annotations

import asyncio

import aiohttp
import discord

from bot.client import QuestbellClient
from shared import database, logs
from shared.errors import TransientError, describe
from shared.guild_settings import mark_greeted

HELLO = """\
👋 Hello! I plan your game nights and remind everyone once.
1. Set this server's time zone with `/settings server`.
2. Plan your first game with `/game create`. You see a preview before anything is posted.
-# `/help` shows the rest."""
_TIMEOUT = 30.0


async def greet(client: QuestbellClient, guild: discord.Guild) -> None:
    """Say the first steps where the bot may write, unless it has done so before. Never raises."""
    log = logs.get(guild_id=guild.id)
    channel = _choose_channel(guild)
    if channel is None:
        return
    try:
        async with asyncio.timeout(_TIMEOUT):
            async with database.transaction(client.sessions) as session:
                is_first = await mark_greeted(session, guild.id)
            if is_first:
                # discord.py sends again after a 5xx, and the nonce makes that one message.
                await channel.send(HELLO, nonce=guild.id)
                log.info("Said hello", action="guild_greeted")
    except (TransientError, discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.warning("Could not say hello", action="guild_ungreeted", error=describe(error))


def _choose_channel(guild: discord.Guild) -> discord.TextChannel | None:
    """Return the channel for Discord's own messages, or else the first in which the bot may write."""
    channels = [*([guild.system_channel] if guild.system_channel else []), *guild.text_channels]
    for channel in channels:
        granted = channel.permissions_for(guild.me)
        if granted.view_channel and granted.send_messages:
            return channel
    return None
