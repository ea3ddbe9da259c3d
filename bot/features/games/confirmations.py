"""The button that confirms a game's new time. Its id carries the game, so it works after a restart."""

from __future__ import annotations

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.buttons import NONCE, ROW_ID, ButtonInteraction, RowButton
from bot.features.games.lookup import require_game
from bot.features.interactions import respond_once
from bot.rendering.formatting import format_timestamp, format_title
from bot.rendering.payload import CONFIRM_ID
from shared.confirmations import ConfirmResult, confirm_attendance
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
