"""The `/game` commands.

One group keeps a server's command list short. Permissions are checked when a command runs, because Discord can hide a
whole group from a role but not one command.
"""

from __future__ import annotations

import discord
from discord import app_commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.games.cancellation import ask_to_cancel
from bot.features.games.co_host_commands import CoHostCommands
from bot.features.games.confirmations import show_ask_button
from bot.features.games.creation import DEFAULT_DURATION, MOST_PLAYERS, CreateGameOptions
from bot.features.games.drafts import create_from_command, respond_with_preview
from bot.features.games.editing import DETAIL_DESCRIPTIONS, EditGameOptions, edit_from_options
from bot.features.games.handover import hand_over
from bot.features.games.history import show_history
from bot.features.games.limits import read_role
from bot.features.games.lookup import (
    find_game_by_text,
    suggest_all_games,
    suggest_games,
    suggest_games_with_history,
    suggest_manageable_games,
    suggest_repeats,
    suggest_start_times,
    suggest_templates,
)
from bot.features.games.place import MOST_CHARACTERS
from bot.features.games.roster import add_player, move_player_up, remove_player
from bot.features.games.signup import signup_view
from bot.features.games.templates import copy_options
from bot.features.interactions import Reply, respond_in_transaction, respond_once
from bot.rendering import GamePeople, Responder, game_embed, game_list_embed
from bot.rendering.seats import list_offered, list_unconfirmed
from shared.co_hosts import list_co_hosts
from shared.game_search import list_games
from shared.models import GameStatus


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
        self.add_command(CoHostCommands())

    @app_commands.command()
    @app_commands.describe(
        title="What you're going to play. To fill in a form instead, leave out title and time",
        when="When it starts, in your time zone or this server's: “friday 8pm”, “tomorrow 8-11pm”, “in 2 hours”",
        duration=f"How long it lasts: “3h”, “90m” (default: {DEFAULT_DURATION})",
        players="How many players can join (default: no limit)",
        slots="What players choose from, and how many of each: “2 tank, 2 healer, 6 dps”, “1 GM, players”",
        reminders="When to remind players: “1d, 1h, 0” (0 is the start) or “none” (default: the server's)",
        description="Anything else players should know",
        repeat="How it repeats: “every friday”, “every 2 weeks”, “monthly on the 15th, 10 times” (default: once)",
        template="What this server's games have in common. It fills in what you leave out",
        announce="When to announce it: “friday 9am”, “in 2 hours” (default: when you post it)",
        closes="How long before the start sign-ups close: “1d”, “2h” (default: at the start)",
        offer="How long a player from the waitlist has to take a seat: “30m”, “12h” (default: it's theirs)",
        role="The role that players need to join (default: none)",
        place="Where you play: a channel such as “#voice”, or any text",
        minimum="How many players it needs. With fewer, I ask you whether to cancel it",
        minimum_check="How long before the start I count the players: “1d”, “6h” (default: 1d)",
        nudge="When to ask those who haven't answered, before the start: “2d”, “6h” (default: never)",
        nudge_role="The role to ask once (default: who played before and hasn't answered)",
    )
    @app_commands.rename(minimum_check="minimum-check", nudge_role="nudge-role")
    @app_commands.autocomplete(
        when=suggest_start_times, repeat=suggest_repeats, template=suggest_templates, announce=suggest_start_times
    )
    async def create(
        self,
        interaction: Interaction,
        title: app_commands.Range[str, 1, 100] = "",
        when: app_commands.Range[str, 1, 100] = "",
        duration: app_commands.Range[str, 1, 50] = "",
        players: app_commands.Range[int, 1, MOST_PLAYERS] | None = None,
        slots: app_commands.Range[str, 1, 600] = "",
        reminders: app_commands.Range[str, 1, 100] = "",
        description: app_commands.Range[str, 1, 1000] = "",
        repeat: app_commands.Range[str, 1, 100] = "",
        template: app_commands.Range[str, 1, 100] = "",
        announce: app_commands.Range[str, 1, 100] = "",
        closes: app_commands.Range[str, 1, 50] = "",
        offer: app_commands.Range[str, 1, 50] = "",
        role: discord.Role | None = None,
        place: app_commands.Range[str, 1, MOST_CHARACTERS] = "",
        minimum: app_commands.Range[int, 1, MOST_PLAYERS] | None = None,
        minimum_check: app_commands.Range[str, 1, 50] = "",
        nudge: app_commands.Range[str, 1, 50] = "",
        nudge_role: discord.Role | None = None,
    ) -> None:
        """Plan a game, and see a preview before you announce it."""
        options = CreateGameOptions(
            title=title,
            when=when,
            duration=duration,
            players="" if players is None else str(players),
            slots=slots,
            reminders=reminders,
            description=description,
            repeat=repeat,
            template=template,
            announce=announce,
            closes=closes,
            offer=offer,
            role=str(read_role(interaction, role) or ""),
            place=place,
            minimum="" if minimum is None else str(minimum),
            minimum_check=minimum_check,
            nudge=nudge,
            nudge_role=str(read_role(interaction, nudge_role) or ""),
        )
        await create_from_command(interaction, options)

    @app_commands.command()
    @app_commands.describe(
        game="The title of the game, which may be over",
        when="When the new one starts: “friday 8pm”, “tomorrow 8-11pm”, “in 2 hours”",
    )
    @app_commands.autocomplete(game=suggest_all_games, when=suggest_start_times)
    async def clone(self, interaction: Interaction, game: str, when: app_commands.Range[str, 1, 100]) -> None:
        """Plan a game like another one, and see a preview before you announce it."""

        async def read(session: AsyncSession) -> CreateGameOptions:
            found = await find_game_by_text(session, game, guild_id=interaction.guild_id or 0, is_over=True)
            return copy_options(found, when=when)

        await respond_with_preview(interaction, read)

    @app_commands.command(name="list")
    async def list_games(self, interaction: Interaction) -> None:
        """Show this server's upcoming games."""

        async def work(session: AsyncSession) -> Reply:
            return Reply(embeds=[game_list_embed(await list_games(session, interaction.guild_id or 0))])

        await respond_in_transaction(interaction, work)

    @app_commands.command()
    @app_commands.describe(game="The title of the game")
    @app_commands.autocomplete(game=suggest_games)
    async def show(self, interaction: Interaction, game: str) -> None:
        """Show a game and its players."""

        async def work(session: AsyncSession) -> Reply:
            found = await find_game_by_text(session, game, guild_id=interaction.guild_id or 0)
            seats = {participant.user_id: participant.slot for participant in found.participants}
            people = GamePeople(
                seats=seats,
                responses=[Responder(it.user_id, it.answer, it.slot) for it in found.responses],
                unconfirmed=list_unconfirmed(found.participants),
                offered=list_offered(found.participants),
                co_hosts=await list_co_hosts(session, found.id),
            )
            is_open = found.status is GameStatus.SCHEDULED
            return Reply(embeds=[game_embed(found, people)], view=signup_view(found, seats) if is_open else None)

        await respond_in_transaction(interaction, work)

    @app_commands.command()
    @app_commands.describe(
        game="The title of the game",
        when="The new start: “friday 8pm”. Everyone in the game is notified",
        confirm="Whether the players have to confirm the new time. They keep their seats",
        **DETAIL_DESCRIPTIONS,
    )
    @app_commands.rename(minimum_check="minimum-check", nudge_role="nudge-role")
    @app_commands.autocomplete(game=suggest_manageable_games, when=suggest_start_times)
    async def edit(
        self,
        interaction: Interaction,
        game: str,
        when: app_commands.Range[str, 1, 100] | None = None,
        title: app_commands.Range[str, 1, 100] | None = None,
        duration: app_commands.Range[str, 1, 50] | None = None,
        players: app_commands.Range[int, 0, MOST_PLAYERS] | None = None,
        slots: app_commands.Range[str, 1, 600] | None = None,
        reminders: app_commands.Range[str, 1, 100] | None = None,
        description: app_commands.Range[str, 1, 1000] | None = None,
        confirm: bool = False,
        closes: app_commands.Range[str, 1, 50] | None = None,
        offer: app_commands.Range[str, 1, 50] | None = None,
        role: discord.Role | None = None,
        place: app_commands.Range[str, 1, MOST_CHARACTERS] | None = None,
        minimum: app_commands.Range[int, 0, MOST_PLAYERS] | None = None,
        minimum_check: app_commands.Range[str, 1, 50] | None = None,
        nudge: app_commands.Range[str, 1, 50] | None = None,
        nudge_role: discord.Role | None = None,
    ) -> None:
        """Change a game. What you leave out stays as it is."""
        options = EditGameOptions(
            game=game,
            when=when,
            title=title,
            duration=duration,
            players=players,
            slots=slots,
            reminders=reminders,
            description=description,
            confirm=confirm,
            closes=closes,
            offer=offer,
            role=read_role(interaction, role),
            place=place,
            minimum=minimum,
            minimum_check=minimum_check,
            nudge=nudge,
            nudge_role=read_role(interaction, nudge_role),
        )
        await respond_once(
            interaction,
            lambda session: edit_from_options(session, interaction, options),
            show=lambda session: show_ask_button(session, interaction, game),
        )

    @app_commands.command()
    @app_commands.describe(game="The title of the game")
    @app_commands.autocomplete(game=suggest_manageable_games)
    async def cancel(self, interaction: Interaction, game: str) -> None:
        """Cancel a game and notify its players."""
        await ask_to_cancel(interaction, game)

    @app_commands.command()
    @app_commands.describe(
        player="Who plays", game="The title of the game", slot="As what, in a game with slots: “tank”"
    )
    @app_commands.autocomplete(game=suggest_manageable_games)
    async def add(
        self,
        interaction: Interaction,
        player: discord.User,
        game: str,
        slot: app_commands.Range[str, 1, 100] | None = None,
    ) -> None:
        """Add a player to a game, or change their slot."""
        await respond_once(interaction, lambda session: add_player(session, interaction, game, player, slot))

    @app_commands.command()
    @app_commands.describe(player="Who doesn't play any more", game="The title of the game")
    @app_commands.autocomplete(game=suggest_manageable_games)
    async def remove(self, interaction: Interaction, player: discord.User, game: str) -> None:
        """Remove a player from a game."""
        await respond_once(interaction, lambda session: remove_player(session, interaction, game, player))

    @app_commands.command(name="move-up")
    @app_commands.describe(player="Who gets the next free seat", game="The title of the game")
    @app_commands.autocomplete(game=suggest_manageable_games)
    async def move_up(self, interaction: Interaction, player: discord.User, game: str) -> None:
        """Put a player first on the waitlist."""
        await respond_once(interaction, lambda session: move_player_up(session, interaction, game, player))

    @app_commands.command()
    @app_commands.describe(
        user="Who becomes the host",
        game="The title of the game",
        following="Whether to hand over all games that follow in its series too",
    )
    @app_commands.autocomplete(game=suggest_manageable_games)
    async def host(self, interaction: Interaction, user: discord.User, game: str, following: bool = False) -> None:
        """Hand a game over to another host."""
        await hand_over(interaction, game, user, following=following)

    @app_commands.command()
    @app_commands.describe(game="The title of the game")
    @app_commands.autocomplete(game=suggest_games_with_history)
    async def history(self, interaction: Interaction, game: str) -> None:
        """Show who changed a game."""
        await respond_in_transaction(interaction, lambda session: show_history(session, interaction, game))
