"""Asks before a game is cancelled, because everyone in it is notified and it can't be undone."""

from __future__ import annotations

from uuid import UUID

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.buttons import ROW_ID, ButtonInteraction, RowButton
from bot.features.errors import UserError
from bot.features.games.lookup import find_game_by_text, require_game
from bot.features.interactions import Reply, respond_once
from bot.features.rights import require_manager
from bot.rendering.formatting import format_timestamp, format_title
from shared.formatting import plural
from shared.games import cancel_game, find_game
from shared.models import Game, GameStatus

CANCEL_ID = "questbell:cancel:"
KEEP_ID = "questbell:keep:"


async def ask_to_cancel(interaction: Interaction, text: str) -> None:
    """Ask whether to cancel the game that the text means, unless it is over already."""

    async def find(session: AsyncSession) -> Game:
        game = await find_game_by_text(session, text, guild_id=interaction.guild_id or 0)
        await require_manager(session, interaction, game, verb="cancel")
        return game

    async def work(session: AsyncSession) -> str:
        game = await find(session)
        require_open(game)
        players = len(game.participants)
        notified = f"I'll notify its {plural(players, 'player')}. " if players else ""
        return (
            f"Cancel {format_title(game.title)} on {format_timestamp(game.scheduled_at, 'F')}? "
            f"{notified}This can't be undone."
        )

    async def show(session: AsyncSession) -> Reply:
        try:
            game = await find(session)
            require_open(game)
        except UserError:
            return Reply()
        view = discord.ui.View(timeout=None)
        view.add_item(CancelButton(game.id))
        view.add_item(KeepButton(game.id))
        return Reply(view=view)

    await respond_once(interaction, work, show=show)


class CancelButton(RowButton, template=CANCEL_ID + ROW_ID):
    """Cancels the game."""

    prefix = CANCEL_ID
    text = "Cancel the game"
    style = discord.ButtonStyle.danger

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Cancel."""

        async def work(session: AsyncSession) -> str:
            game = await find_open_game(session, self.row_id, guild_id=interaction.guild_id)
            await require_manager(session, interaction, game, verb="cancel")
            if not await cancel_game(session, game.id, actor_id=interaction.user.id):
                require_open(game)
            return f"{format_title(game.title)} is cancelled. I'm letting the players know."

        await respond_once(interaction, work, in_place=True)


class KeepButton(RowButton, template=KEEP_ID + ROW_ID):
    """Leaves the game as it is."""

    prefix = KEEP_ID
    text = "Keep it"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Say that nothing has changed."""

        async def work(session: AsyncSession) -> str:
            game = await find_game(session, self.row_id, guild_id=interaction.guild_id)
            return "Nothing has changed." if game is None else f"{format_title(game.title)} stays as it is."

        await respond_once(interaction, work, in_place=True)


async def find_open_game(session: AsyncSession, game_id: UUID, *, guild_id: int | None) -> Game:
    """Return the game of a button.

    Raises:
        UserError: it does not exist any more, or is over.
    """
    game = await require_game(session, game_id, guild_id=guild_id)
    require_open(game)
    return game


def require_open(game: Game) -> None:
    """Check that a game is not over.

    Raises:
        UserError: it is.
    """
    if game.status is GameStatus.CANCELLED:
        raise UserError(f"{format_title(game.title)} is already cancelled.")
    if game.status.is_final:
        raise UserError(f"{format_title(game.title)} is already over, so there's nothing to cancel.")
