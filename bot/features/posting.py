"""Checks that the bot may post a game, before the game is created."""

from __future__ import annotations

import discord

from bot.client import Interaction
from bot.features.errors import UserError
from bot.rendering.formatting import format_channel
from shared.formatting import join_words


def require_permission_to_post(interaction: Interaction) -> None:
    """Check that the bot can post where the interaction comes from.

    Raises:
        UserError: a permission is missing.
    """
    in_thread = isinstance(interaction.channel, discord.Thread)
    if missing := _list_missing(interaction.app_permissions, in_thread=in_thread):
        raise UserError(
            f"I can't post in this channel without the {missing}. "
            "Use another channel, or ask an admin to let me post here."
        )


def require_permission_to_post_in(interaction: Interaction, channel_id: int, *, advice: str) -> None:
    """Check that the bot can post in another channel of the server. `advice` says what to do if it can't.

    Raises:
        UserError: the channel is gone, or a permission is missing.
    """
    guild = interaction.guild
    if guild is None or not guild.roles:  # Discord describes the server soon after the bot has connected
        raise UserError("I've only just started. Please try again in a few seconds.")
    if (channel := guild.get_channel(channel_id)) is None:
        raise UserError(f"I can't see the channel {format_channel(channel_id)}. {advice}")
    if missing := _list_missing(channel.permissions_for(guild.me), in_thread=False):
        raise UserError(f"I can't post in {format_channel(channel_id)} without the {missing}. {advice}")


def _list_missing(granted: discord.Permissions, *, in_thread: bool) -> str:
    needed = {
        "View Channel": granted.view_channel,
        "Send Messages": granted.send_messages_in_threads if in_thread else granted.send_messages,
        "Embed Links": granted.embed_links,
    }
    missing = [name for name, is_granted in needed.items() if not (is_granted or granted.administrator)]
    return f"{join_words(missing)} {'permission' if len(missing) == 1 else 'permissions'}" if missing else ""
