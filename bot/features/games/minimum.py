"""The buttons under the question whether to cancel a game that too few have joined.

Their message stays as it is: the bot recognises it by its buttons. So the answers are private, and pressing one again
changes nothing more.
"""

from __future__ import annotations

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.buttons import NONCE, ROW_ID, ButtonInteraction, RowButton
from bot.features.errors import UserError
from bot.features.games.cancellation import find_open_game, require_open
from bot.features.interactions import respond_once
from bot.features.rights import require_manager
from bot.rendering.formatting import format_title
from bot.rendering.payload import MINIMUM_CANCEL_ID, MINIMUM_KEEP_ID
from shared.formatting import plural
from shared.games import cancel_game
from shared.models import Game, GameStatus
from shared.schedule.populate import lock_game
from shared.signup import list_players


class CancelSmallGameButton(RowButton, template=MINIMUM_CANCEL_ID + ROW_ID + NONCE):
    """Cancels the game, unless enough players have joined meanwhile."""

    prefix = MINIMUM_CANCEL_ID
    text = "Cancel the game"
    style = discord.ButtonStyle.danger

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Cancel."""

        async def work(session: AsyncSession) -> str:
            game = await find_open_game(session, self.row_id, guild_id=interaction.guild_id)
            await require_manager(session, interaction, game, verb="cancel")
            await _require_too_few(session, game)
            await cancel_game(session, game.id, actor_id=interaction.user.id)
            return f"{format_title(game.title)} is cancelled. I'm letting the players know."

        await respond_once(interaction, work)


class KeepSmallGameButton(RowButton, template=MINIMUM_KEEP_ID + ROW_ID + NONCE):
    """Leaves the game as it is."""

    prefix = MINIMUM_KEEP_ID
    text = "Keep it"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Say that nothing changes."""

        async def work(session: AsyncSession) -> str:
            game = await find_open_game(session, self.row_id, guild_id=interaction.guild_id)
            await require_manager(session, interaction, game, verb="keep")
            return f"{format_title(game.title)} stays as it is. I won't ask again, unless you move it."

        await respond_once(interaction, work)


async def _require_too_few(session: AsyncSession, game: Game) -> None:
    """Lock the game, and check that it is still too small.

    Raises:
        UserError: enough players have joined, or the game has started or is over.
    """
    require_open(await lock_game(session, game.id))
    count, title = len(await list_players(session, game.id)), format_title(game.title)
    to_cancel = "To cancel it anyway, use `/game cancel`."
    if game.status is not GameStatus.SCHEDULED:
        raise UserError(f"{title} has started already. {to_cancel}")
    if game.minimum_players is None or count >= game.minimum_players:
        raise UserError(f"{title} has {plural(count, 'player')} now, which is enough. {to_cancel}")
