"""`/game remind-me`: where a person is told, on every server alike.

Direct messages are opened here, while the person is asking for them: Discord limits how many a bot opens of its own
accord, and a reminder would have to wait for that.
"""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING

import aiohttp
import discord
from discord import app_commands

from bot.features.answering import Answer
from bot.features.retrying import persistently
from shared import database, logs, people

if TYPE_CHECKING:
    from bot.features.answering import Interaction

OPEN_TIMEOUT = 5.0
"""Seconds."""


class Where(enum.Enum):
    """Where a player gets reminders."""

    IN_THE_CHANNEL = "channel"
    BY_DIRECT_MESSAGE = "dm"


CHOICES = [
    app_commands.Choice(name="In the channel", value=Where.IN_THE_CHANNEL.value),
    app_commands.Choice(name="By DM", value=Where.BY_DIRECT_MESSAGE.value),
]
"""The names that Discord shows. The library would show the names of an enum's members, in capitals."""


async def remind(interaction: Interaction, where: Where) -> Answer:
    """Remember where a person wants to be told."""
    directly = where is Where.BY_DIRECT_MESSAGE
    channel_id = await _opened(interaction) if directly else None

    async def work() -> None:
        async with database.transaction(interaction.client.sessions) as session:
            await people.want_dm(session, interaction.user.id, wanted=directly)
            if channel_id is not None:
                await people.remember_dm_channel(session, interaction.user.id, channel_id=channel_id)

    await persistently(work)
    if directly:
        return Answer(
            "I'll remind you by DM. If Discord won't let me DM you, I'll mention you in the game's channel instead."
        )
    return Answer("I'll mention you in the game's channel.")


async def _opened(interaction: Interaction) -> int | None:
    """Return where the person's direct messages go; None when that cannot be had now: the first reminder asks again."""
    try:
        async with asyncio.timeout(OPEN_TIMEOUT):
            return (await interaction.user.create_dm()).id
    except (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError, TimeoutError) as error:
        logs.get(interaction_id=interaction.id).info("No direct messages yet", action="dm_unopened", error=repr(error))
        return None
