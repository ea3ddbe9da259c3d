"""Shows who changed a game, with `/game history`."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.games.lookup import find_game_by_text
from bot.features.interactions import Reply
from bot.features.rights import require_manager
from bot.rendering.history import history_message
from shared.audit import list_game_entries

ENTRIES_LIMIT = 20


async def show_history(session: AsyncSession, interaction: Interaction, text: str) -> Reply:
    """Return the game's latest changes.

    Raises:
        UserError: there is no such game, or the user may not see who did what.
    """
    game = await find_game_by_text(session, text, guild_id=interaction.guild_id or 0, is_over=True)
    await require_manager(session, interaction, game, verb="see the history of")
    return Reply(history_message(game.title, await list_game_entries(session, game.id, limit=ENTRIES_LIMIT)))
