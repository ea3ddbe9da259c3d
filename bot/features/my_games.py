"""The `/my-games` command: what a user has planned, on this server or, in direct messages, on all servers."""

from __future__ import annotations

from discord import app_commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction, QuestbellClient
from bot.features.interactions import Reply, respond_in_transaction
from bot.rendering import own_games_embed
from shared.game_search import list_own_games


@app_commands.command(name="my-games")
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
@app_commands.allowed_installs(guilds=True, users=False)
async def my_games(interaction: Interaction) -> None:
    """Show the upcoming games that you host or have answered."""

    async def work(session: AsyncSession) -> Reply:
        games = await list_own_games(session, interaction.user.id, guild_id=interaction.guild_id)
        return Reply(embeds=[own_games_embed(games, shows_server=interaction.guild_id is None)])

    await respond_in_transaction(interaction, work)


def setup(_client: QuestbellClient, tree: app_commands.CommandTree[QuestbellClient]) -> None:
    """Add the feature to a client before it connects."""
    tree.add_command(my_games)
