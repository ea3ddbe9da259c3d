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
    """Plan game sessions, and see who plays."""

    def __init__(self) -> None:
        super().__init__(
            name="game",
            description="Plan game sessions, and see who plays.",
            guild_only=True,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )

    @app_commands.command()
    @app_commands.describe(
        title="What you will play",
        when="When it starts, by this server's clocks: “tomorrow 8pm”, “friday 19:30”, “in 2 hours”",
        duration=f"How long it lasts: “3h”, “90m”. {DEFAULT_DURATION} if you leave it out",
        players="How many can join. Without it, everyone can",
        reminders=f"When to remind, before the start: “1d, 1h, 0”, or “none”. {DEFAULT_REMINDERS} if you leave it out",
        description="What else players should know",
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
        """Plan a session and announce it in this channel."""
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
        """Show the sessions to come on this server."""
        sessions, guild_id = interaction.client.sessions, interaction.guild_id or 0
        await answer(interaction, lambda: _viewing.list_games(sessions, guild_id=guild_id))

    @app_commands.command()
    @app_commands.describe(game="The session, by its title")
    @app_commands.autocomplete(game=_suggesting.any_game)
    async def show(self, interaction: Interaction, game: str) -> None:
        """Show one session, with its players."""
        sessions, guild_id = interaction.client.sessions, interaction.guild_id or 0
        await answer(interaction, lambda: _viewing.show(sessions, game, guild_id=guild_id))

    @app_commands.command()
    @app_commands.describe(game="The session, by its title")
    @app_commands.autocomplete(game=_suggesting.cancellable_game)
    async def cancel(self, interaction: Interaction, game: str) -> None:
        """Cancel a session you host, and tell its players."""
        await answer(interaction, lambda: _cancelling.cancel(interaction, game))

    @app_commands.command()
    @app_commands.describe(zone="A region and a city: “Europe/Berlin”, “America/New_York”")
    @app_commands.autocomplete(zone=_suggesting.zone)
    async def timezone(self, interaction: Interaction, zone: str) -> None:
        """Set the time zone in which this server's times are read."""
        await answer(interaction, lambda: _zone.set_zone(interaction, zone))

    @app_commands.command(name="remind-me")
    @app_commands.describe(where="In the session's channel, where you are mentioned, or by direct message")
    async def remind_me(self, interaction: Interaction, where: _reminding.Where) -> None:
        """Choose where you are reminded of the sessions that you join."""
        await answer(interaction, lambda: _reminding.remind(interaction, where))
