"""The user's choice of where reminders arrive, for all servers.

The DM channel is opened immediately, because Discord limits how many a bot opens and a reminder might have to wait.
"""

from __future__ import annotations

import asyncio
import enum

import aiohttp
import discord
from discord import app_commands

from bot.client import Interaction
from shared import logs

OPEN_TIMEOUT = 5.0
"""Seconds."""


class ReminderDestination(enum.StrEnum):
    """Where a user gets reminders."""

    CHANNEL = "channel"
    DM = "dm"


DESTINATIONS = [
    app_commands.Choice(name="In the channel", value=ReminderDestination.CHANNEL.value),
    app_commands.Choice(name="By DM", value=ReminderDestination.DM.value),
]
"""The choices that Discord shows. An enum as option type would show its member names in capitals."""


async def open_dm_channel(interaction: Interaction) -> int | None:
    """Return the user's DM channel, or None if it can't be opened. The first reminder tries again."""
    try:
        async with asyncio.timeout(OPEN_TIMEOUT):
            return (await interaction.user.create_dm()).id
    except (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError, TimeoutError) as error:
        logs.get(interaction_id=interaction.id).info("No DM channel yet", action="dm_unopened", error=repr(error))
        return None
