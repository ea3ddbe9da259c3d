"""`/game cancel`: the host's, or of a member who manages the server's events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.features.answering import Answer
from bot.features.errors import UserError
from bot.features.games._choosing import choose
from bot.features.retrying import persistently
from bot.rendering.escaping import escape
from bot.rendering.formatting import format_mention
from shared import database
from shared.games import cancel_game
from shared.models import Game, GameStatus

if TYPE_CHECKING:
    from bot.features.answering import Interaction


def may_cancel(interaction: Interaction, game: Game) -> bool:
    """Return whether the person may cancel a game: its host, or with Manage Events or Manage Server."""
    granted = interaction.permissions
    manages = granted.manage_events or granted.manage_guild or granted.administrator
    return manages or interaction.user.id == game.host_id


async def cancel(interaction: Interaction, text: str) -> Answer:
    """Cancel a session; the delivery side tells its players.

    Raises:
        UserError: none or several fit the text, it is over, or the person may not cancel it.
    """

    async def work() -> tuple[Game, bool]:
        async with database.transaction(interaction.client.sessions) as session:
            game = await choose(session, text, guild_id=interaction.guild_id or 0)
            if not may_cancel(interaction, game):
                raise UserError(
                    f"Only the host, {format_mention(game.host_id)}, or someone with the Manage Events permission "
                    "can cancel this game."
                )
            return game, await cancel_game(session, game.id)

    game, cancelled = await persistently(work)
    title = f"**{escape(game.title, limit=200)}**"
    if cancelled:
        return Answer(f"{title} is cancelled. I'll let the players know in <#{game.channel_id}>.")
    if game.status is GameStatus.CANCELLED:
        return Answer(f"{title} is already cancelled.")
    raise UserError(f"{title} is already over, so it can't be cancelled. See `/game list` for upcoming games.")
