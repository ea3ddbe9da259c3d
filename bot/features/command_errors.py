"""What discord.py itself refuses before a command runs, told to the person who used it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord import app_commands

from bot.features.answering import apology, asked
from shared import logs

if TYPE_CHECKING:
    from bot.features.answering import Interaction

_OUTDATED = "This command was just updated. Please try again in a minute. If it keeps happening, restart Discord."


class QuestbellTree(app_commands.CommandTree[Any]):
    """The command tree, whose refusals are answers."""

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """Answer what the library refused; what it did not expect is logged with a reference."""
        log = logs.get(interaction_id=interaction.id, asked=asked(interaction))
        match error:
            case app_commands.CommandNotFound() | app_commands.CommandSignatureMismatch():
                text = _OUTDATED
            case _:
                text = apology(log, error)
        try:
            if not interaction.response.is_done():
                await interaction.response.send_message(text, ephemeral=True)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as failure:
            log.warning("Answer not shown", action="answer_lost", error=repr(failure))
