"""Decides who may do what: create games, change one, and change the server's settings.

The server's roles decide, and Discord's own permissions where no role is set. Anyone who manages the server may do
everything, because they can also change the roles. Every command and button asks here.
"""

from __future__ import annotations

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.rendering.formatting import format_mention, format_role
from shared.co_hosts import is_co_host
from shared.guild_settings import GuildSettings, get_guild_settings
from shared.models import Game, GameSeries


def manages_server(interaction: Interaction) -> bool:
    """Return whether the user may change the server's settings."""
    granted = interaction.permissions
    return granted.manage_guild or granted.administrator


def manages_games(interaction: Interaction, settings: GuildSettings) -> bool:
    """Return whether the user may change all games of the server."""
    if manages_server(interaction):
        return True
    if settings.manager_role_id is None:
        return interaction.permissions.manage_events
    return _has_role(interaction, settings.manager_role_id)


def require_server_manager(interaction: Interaction) -> None:
    """Check that the user may change the server's settings.

    Raises:
        UserError: they may not.
    """
    if not manages_server(interaction):
        raise UserError("You need the Manage Server permission to change these settings. Ask a server admin.")


def require_creator(interaction: Interaction, settings: GuildSettings) -> None:
    """Check that the user may create games.

    Raises:
        UserError: they lack the role.
    """
    role_id = settings.creator_role_id
    if role_id is None or _has_role(interaction, role_id) or manages_games(interaction, settings):
        return
    raise UserError(
        f"Only members with the role {format_role(role_id)} can create games on this server. Ask a server admin for it."
    )


def require_games_manager(interaction: Interaction, settings: GuildSettings, *, verb: str) -> None:
    """Check that the user manages all games of the server.

    Raises:
        UserError: they do not, so they may not `verb`.
    """
    if not manages_games(interaction, settings):
        raise UserError(f"Only members {_describe_managers(settings)} can {verb}. Ask one of them.")


async def require_manager(session: AsyncSession, interaction: Interaction, game: Game, *, verb: str) -> None:
    """Check that the user is the host or a co-host, or manages all games.

    Raises:
        UserError: they are not, so they may not `verb` this game.
    """
    settings = await get_guild_settings(session, game.guild_id)
    user_id = interaction.user.id
    if _is_host_or_manager(interaction, game, settings) or await is_co_host(session, game.id, user_id=user_id):
        return
    raise UserError(
        f"Only the host and co-hosts can {verb} this game. "
        f"Ask {format_mention(game.host_id)}, or someone {_describe_managers(settings)}."
    )


async def require_host(session: AsyncSession, interaction: Interaction, game: Game | GameSeries, *, verb: str) -> None:
    """Check that the user is the host of a game or series, or manages all games. Co-hosts do not suffice.

    Raises:
        UserError: they are not, so they may not `verb` it.
    """
    settings = await get_guild_settings(session, game.guild_id)
    if not _is_host_or_manager(interaction, game, settings):
        kind = "series" if isinstance(game, GameSeries) else "game"
        raise UserError(
            f"Only the host can {verb} this {kind}. "
            f"Ask {format_mention(game.host_id)}, or someone {_describe_managers(settings)}."
        )


def _is_host_or_manager(interaction: Interaction, game: Game | GameSeries, settings: GuildSettings) -> bool:
    return interaction.user.id == game.host_id or manages_games(interaction, settings)


def _describe_managers(settings: GuildSettings) -> str:
    if settings.manager_role_id is None:
        return "with the Manage Events permission"
    return f"with the role {format_role(settings.manager_role_id)}"


def _has_role(interaction: Interaction, role_id: int) -> bool:
    # `get_role` would also ask for the role itself, which is unknown until Discord has described the server.
    return isinstance(interaction.user, discord.Member) and interaction.user._roles.has(role_id)
