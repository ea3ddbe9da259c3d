"""The `/game co-host` commands."""

from __future__ import annotations

import discord
from discord import app_commands

from bot.client import Interaction
from bot.features.games.lookup import suggest_manageable_games
from bot.features.games.roster import appoint_co_host, dismiss_co_host
from bot.features.interactions import respond_once


class CoHostCommands(app_commands.Group):
    """Choose who else may change a game."""

    def __init__(self) -> None:
        super().__init__(name="co-host", description="Choose who else may change a game.")

    @app_commands.command()
    @app_commands.describe(user="Who helps you", game="The title of the game")
    @app_commands.autocomplete(game=suggest_manageable_games)
    async def add(self, interaction: Interaction, user: discord.User, game: str) -> None:
        """Make someone a co-host, who can change a game as you can."""
        await respond_once(interaction, lambda session: appoint_co_host(session, interaction, game, user))

    @app_commands.command()
    @app_commands.describe(user="Who isn't a co-host any more", game="The title of the game")
    @app_commands.autocomplete(game=suggest_manageable_games)
    async def remove(self, interaction: Interaction, user: discord.User, game: str) -> None:
        """Remove a co-host."""
        await respond_once(interaction, lambda session: dismiss_co_host(session, interaction, game, user))
