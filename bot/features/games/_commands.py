"""The `/game` commands as Discord shows them: names, options, limits, suggestions. What each does is a module beside.

One group keeps a server's command list short. Whether a person may cancel or set the zone is decided when they try,
because Discord can hide a whole group from a role but not one command of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord import app_commands

from bot.features.answering import answer
from bot.features.games import _cancelling, _creating, _reminding, _suggesting, _viewing, _zone
from bot.features.games._creating import DEFAULT_DURATION, DEFAULT_REMINDERS, Wish

if TYPE_CHECKING:
    from bot.features.answering import Interaction


class GameCommands(app_commands.Group):
    """Plan games and see who's playing."""

    def __init__(self) -> None:
        super().__init__(
            name="game",
            description="Plan games and see who's playing.",
            guild_only=True,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )

    @app_commands.command()
    @app_commands.describe(
        title="What you're going to play",
        when="When it starts, in this server's time zone: “tomorrow 8pm”, “friday 19:30”, “in 2 hours”",
        duration=f"How long it lasts: “3h”, “90m” (default: {DEFAULT_DURATION})",
        players="How many players can join (default: no limit)",
        reminders=f"How long before the start to remind players: “1d, 1h, 0” or “none” (default: {DEFAULT_REMINDERS})",
        description="Anything else players should know",
    )
    @app_commands.autocomplete(when=_suggesting.readings)
    async def create(
        self,
        interaction: Interaction,
        title: app_commands.Range[str, 1, 100],
        when: app_commands.Range[str, 1, 100],
        duration: app_commands.Range[str, 1, 50] = DEFAULT_DURATION,
        players: app_commands.Range[int, 1, 500] | None = None,
        reminders: app_commands.Range[str, 1, 100] = DEFAULT_REMINDERS,
        description: app_commands.Range[str, 1, 1000] = "",
    ) -> None:
        """Plan a game and announce it in this channel."""
        wish = Wish(
            title=title,
            when=when,
            duration=duration,
            players=players,
            reminders=reminders,
            description=description,
        )
        await answer(interaction, lambda: _creating.create(interaction, wish))

    @app_commands.command(name="list")
    async def list_games(self, interaction: Interaction) -> None:
        """Show this server's upcoming games."""
        sessions, guild_id = interaction.client.sessions, interaction.guild_id or 0
        await answer(interaction, lambda: _viewing.list_games(sessions, guild_id=guild_id))

    @app_commands.command()
    @app_commands.describe(game="The title of the game")
    @app_commands.autocomplete(game=_suggesting.any_game)
    async def show(self, interaction: Interaction, game: str) -> None:
        """Show a game and its players."""
        sessions, guild_id = interaction.client.sessions, interaction.guild_id or 0
        await answer(interaction, lambda: _viewing.show(sessions, game, guild_id=guild_id))

    @app_commands.command()
    @app_commands.describe(game="The title of the game")
    @app_commands.autocomplete(game=_suggesting.cancellable_game)
    async def cancel(self, interaction: Interaction, game: str) -> None:
        """Cancel a game and notify its players."""
        await answer(interaction, lambda: _cancelling.cancel(interaction, game))

    @app_commands.command()
    @app_commands.describe(zone="Region and city: “Europe/Berlin”, “America/New_York”")
    @app_commands.autocomplete(zone=_suggesting.zone)
    async def timezone(self, interaction: Interaction, zone: str) -> None:
        """Set this server's time zone."""
        await answer(interaction, lambda: _zone.set_zone(interaction, zone))

    @app_commands.command(name="remind-me")
    @app_commands.describe(where="A mention in the game's channel, or a DM")
    @app_commands.choices(where=_reminding.CHOICES)
    async def remind_me(self, interaction: Interaction, where: app_commands.Choice[str]) -> None:
        """Choose where you get reminders for games you join."""
        await answer(interaction, lambda: _reminding.remind(interaction, _reminding.Where(where.value)))
