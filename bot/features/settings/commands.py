"""The `/settings` commands. Those of a user also work in direct messages, because they apply to all servers.

Permissions are checked when one runs, because Discord can hide only the whole group.
"""

from __future__ import annotations

import discord
from discord import app_commands

from bot.client import Interaction
from bot.features.games.lookup import suggest_time_zones
from bot.features.interactions import respond_once
from bot.features.settings.me import DESTINATIONS, SERVER_ZONE, SWITCH, OwnOptions, answer_own_settings
from bot.features.settings.server import RESETS, ServerOptions, change_from_options


async def suggest_own_time_zones(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
    """Return the time zones that the text can mean, and the server's."""
    found = await suggest_time_zones(interaction, current)
    if not SERVER_ZONE.startswith(current.strip().casefold()):
        return found
    return [app_commands.Choice(name="The server's time zone", value=SERVER_ZONE), *found[:24]]


class SettingsCommands(app_commands.Group):
    """Choose how the bot works."""

    def __init__(self) -> None:
        super().__init__(
            name="settings",
            description="Choose how the bot works.",
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )

    @app_commands.command()
    @app_commands.rename(extra_reminder="extra-reminder")
    @app_commands.describe(
        zone="A big city in your time zone: “Berlin”, “New York”, or “server” for the server's",
        where="Where I remind you: a mention in the game's channel, or a DM",
        extra_reminder="One more reminder that only you get, before each game: “2h”, “30m”, or “none”",
        reminders="Whether I remind you at all",
    )
    @app_commands.choices(where=DESTINATIONS, reminders=SWITCH)
    @app_commands.autocomplete(zone=suggest_own_time_zones)
    async def me(
        self,
        interaction: Interaction,
        zone: app_commands.Range[str, 1, 100] | None = None,
        where: app_commands.Choice[str] | None = None,
        extra_reminder: app_commands.Range[str, 1, 50] | None = None,
        reminders: app_commands.Choice[str] | None = None,
    ) -> None:
        """Show or change your settings on all servers. What you leave out stays as it is."""
        options = OwnOptions(
            zone=zone,
            where=None if where is None else where.value,
            extra_reminder=extra_reminder,
            reminders=None if reminders is None else reminders.value,
        )
        await answer_own_settings(interaction, options)

    @app_commands.command()
    @app_commands.describe(
        zone="A big city in your time zone: “Berlin”, “New York”",
        reminders="When to remind players of new games: “1d, 1h, 0” (0 is the start) or “none”",
        channel="Where new games are announced",
        creator_role="Who can create games",
        manager_role="Who can change and cancel everyone's games",
        reset="A setting that returns to its default",
    )
    @app_commands.rename(creator_role="creator-role", manager_role="manager-role")
    @app_commands.autocomplete(zone=suggest_time_zones)
    @app_commands.choices(reset=RESETS)
    async def server(
        self,
        interaction: Interaction,
        zone: app_commands.Range[str, 1, 100] | None = None,
        reminders: app_commands.Range[str, 1, 100] | None = None,
        channel: discord.TextChannel | None = None,
        creator_role: discord.Role | None = None,
        manager_role: discord.Role | None = None,
        reset: app_commands.Choice[str] | None = None,
    ) -> None:
        """Show or change this server's settings."""
        options = ServerOptions(
            zone=zone,
            reminders=reminders,
            channel_id=None if channel is None else channel.id,
            creator_role_id=None if creator_role is None else creator_role.id,
            manager_role_id=None if manager_role is None else manager_role.id,
            reset=None if reset is None else reset.value,
        )
        await respond_once(interaction, lambda session: change_from_options(session, interaction, options))
