"""`/game cancel`: the host's, or of a member who manages the server's events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.features.answering import Answer
from bot.features.errors import UserError
from bot.features.games._choosing import choose
from bot.features.retrying import persistently
from bot.rendering import words
from bot.rendering.text import escaped
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
                    f"Only the host, {words.mention(game.host_id)}, or a member with the permission "
                    "Manage Events can cancel this session. Ask one of them to do it."
                )
            return game, await cancel_game(session, game.id)

    game, cancelled = await persistently(work)
    title = f"**{escaped(game.title, limit=200)}**"
    if cancelled:
        return Answer(f"{title} is cancelled. Its players hear of it in <#{game.channel_id}> in a moment.")
    if game.status is GameStatus.CANCELLED:
        return Answer(f"{title} is cancelled already.")
    raise UserError(f"{title} is over, so there is nothing to cancel. `/game list` shows what is planned.")
