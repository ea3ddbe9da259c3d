"""The buttons that ask players to confirm a game's new time, and that confirm it. They work after a restart."""

from __future__ import annotations

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.buttons import NONCE, ROW_ID, ButtonInteraction, RowButton
from bot.features.errors import UserError
from bot.features.games.lookup import find_game_by_text, require_game
from bot.features.interactions import Reply, respond_once
from bot.features.rights import require_manager
from bot.rendering.formatting import format_timestamp, format_title
from bot.rendering.payload import ASK_ID, CONFIRM_ID
from shared.confirmations import ConfirmResult, ask_to_confirm, can_ask, confirm_attendance
from shared.models import Game


class ConfirmButton(RowButton, template=CONFIRM_ID + ROW_ID + NONCE):
    """Records that the new time suits the player."""

    prefix = CONFIRM_ID
    text = "I can make it"
    style = discord.ButtonStyle.success

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Confirm."""

        async def work(session: AsyncSession) -> str:
            game = await require_game(session, self.row_id, guild_id=interaction.guild_id)
            return describe_confirmation(game, await confirm_attendance(session, game.id, user_id=interaction.user.id))

        await respond_once(interaction, work)


class AskButton(RowButton, template=ASK_ID + ROW_ID):
    """Asks the players to confirm the time to which their game was moved."""

    prefix = ASK_ID
    text = "Ask players to confirm"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Ask."""

        async def work(session: AsyncSession) -> str:
            game = await require_game(session, self.row_id, guild_id=interaction.guild_id, has_roster=False)
            await require_manager(session, interaction, game, verb="change")
            title = format_title(game.title)
            if await ask_to_confirm(session, game.id, actor_id=interaction.user.id):
                return f"I'm asking the players of {title} to confirm the new time. They keep their seats."
            return f"Nobody in {title} has to be asked. Its players were asked already, or it has started or is over."

        await respond_once(interaction, work, in_place=True)


async def show_ask_button(session: AsyncSession, interaction: Interaction, text: str) -> Reply:
    """Return a reply with the button, if the game that the text means was moved and has players to ask."""
    try:
        game = await find_game_by_text(session, text, guild_id=interaction.guild_id or 0)
        await require_manager(session, interaction, game, verb="change")
    except UserError:
        return Reply()
    if not await can_ask(session, game):
        return Reply()
    view = discord.ui.View(timeout=None)
    view.add_item(AskButton(game.id))
    return Reply(view=view)


def describe_confirmation(game: Game, result: ConfirmResult) -> str:
    """Return the reply to the player."""
    title = format_title(game.title)
    match result:
        case ConfirmResult.CONFIRMED | ConfirmResult.SEAT_TAKEN:
            return f"Noted: you can make it to {title} on {format_timestamp(game.scheduled_at, 'F')}."
        case ConfirmResult.ALREADY_CONFIRMED:
            return f"You're in {title} already, and nothing is left to confirm."
        case ConfirmResult.NO_SEAT:
            return f"You have no seat in {title}. To take one, press Join on its announcement."
        case ConfirmResult.CLOSED:
            return f"{title} has started or is over, so nothing is left to confirm."
