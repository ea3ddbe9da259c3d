"""Shows and changes a server's settings with the options of `/settings server`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from discord import app_commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.games.creation import choose_reminder_offsets
from bot.features.posting import require_permission_to_post_in
from bot.features.rights import require_server_manager
from bot.features.times import find_time_zone, parse_reminder_offsets
from bot.rendering.formatting import describe_offsets, format_channel, format_role, format_timestamp
from bot.rendering.history import format_actor
from shared.audit import list_settings_entries
from shared.guild_settings import GuildSettings, change_guild_settings, get_guild_settings

_ALL = "all"
_NAMES = {
    "zone": "Time zone",
    "reminder_offsets": "Reminders",
    "channel_id": "Channel",
    "creator_role_id": "Creator role",
    "manager_role_id": "Manager role",
}
RESETS = [
    *(app_commands.Choice(name=name, value=field) for field, name in _NAMES.items()),
    app_commands.Choice(name="Everything", value=_ALL),
]
"""The choices of what returns to its default."""


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """The options of the command as the user entered them. None is not entered."""

    zone: str | None
    reminders: str | None
    channel_id: int | None
    creator_role_id: int | None
    manager_role_id: int | None
    reset: str | None


async def change_from_options(session: AsyncSession, interaction: Interaction, options: ServerOptions) -> str:
    """Change the settings, and return all of them. Without options, they are only shown.

    Raises:
        UserError: an option is invalid, or the user may not change the settings.
    """
    if interaction.guild_id is None:
        raise UserError("Use this command in a channel of the server whose settings you mean.")
    guild_id = interaction.guild_id
    changes = _reset(options.reset) | await _parse_options(interaction, options)
    if not changes:
        return await _describe(session, guild_id, await get_guild_settings(session, guild_id))
    require_server_manager(interaction)
    settings = await change_guild_settings(session, guild_id, changes, actor_id=interaction.user.id)
    return "\n".join(["Saved. Games that are already planned don't change.", *_list(settings)])


async def _parse_options(interaction: Interaction, options: ServerOptions) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if options.zone is not None:
        changes["zone"] = await asyncio.to_thread(find_time_zone, options.zone)
    if options.reminders is not None:
        changes["reminder_offsets"] = parse_reminder_offsets(options.reminders)
    if options.channel_id is not None:
        advice = "Choose another channel, or let me post there."
        require_permission_to_post_in(interaction, options.channel_id, advice=advice)
        changes["channel_id"] = options.channel_id
    for name in ("creator_role_id", "manager_role_id"):
        if (role_id := getattr(options, name)) is not None:
            changes[name] = role_id
    if everyone := interaction.guild_id:
        # Everybody has this role, and no member lists it.
        if changes.get("creator_role_id") == everyone:
            changes["creator_role_id"] = None
        if changes.get("manager_role_id") == everyone:
            raise UserError("Not everyone can manage all games. Choose a role that only some members have.")
    return changes


def _reset(name: str | None) -> dict[str, Any]:
    defaults = GuildSettings()
    names = [field.name for field in fields(defaults)] if name == _ALL else [name] if name else []
    return {name: getattr(defaults, name) for name in names}


async def _describe(session: AsyncSession, guild_id: int, settings: GuildSettings) -> str:
    lines = ["**This server's settings**", *_list(settings)]
    for entry in await list_settings_entries(session, guild_id, limit=1):
        lines.append(f"-# Last changed by {format_actor(entry.actor_id)} {format_timestamp(entry.at, 'R')}.")
    return "\n".join(lines)


def _list(settings: GuildSettings) -> list[str]:
    now = datetime.now(ZoneInfo(settings.zone))
    channel, creator, manager = settings.channel_id, settings.creator_role_id, settings.manager_role_id
    values = {
        "zone": f"{settings.zone}, where it's {now:%H:%M}",
        "reminder_offsets": describe_offsets(choose_reminder_offsets("", settings)),
        "channel_id": "where `/game create` is used" if channel is None else format_channel(channel),
        "creator_role_id": "everyone can create games" if creator is None else format_role(creator),
        "manager_role_id": "members with Manage Events" if manager is None else format_role(manager),
    }
    return [f"{name}: {values[field]}" for field, name in _NAMES.items()]
