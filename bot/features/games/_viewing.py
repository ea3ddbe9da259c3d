"""`/game list` and `/game show`: what is planned, shown to one person."""

from __future__ import annotations

from bot.features.answering import Answer
from bot.features.games._buttons import signup
from bot.features.games._choosing import choose
from bot.features.retrying import persistently
from bot.rendering import game_embed, game_list_embed
from shared import database
from shared.database import Sessions
from shared.games import upcoming_games
from shared.models import Game, GameStatus


async def list_games(sessions: Sessions, *, guild_id: int) -> Answer:
    """Return the server's coming sessions."""

    async def work() -> list[Game]:
        async with database.transaction(sessions) as session:
            return await upcoming_games(session, guild_id)

    return Answer(embeds=[game_list_embed(await persistently(work))])


async def show(sessions: Sessions, text: str, *, guild_id: int) -> Answer:
    """Return one session as its announcement shows it, with its buttons while it is open.

    Raises:
        UserError: none or several fit the text.
    """

    async def work() -> Game:
        async with database.transaction(sessions) as session:
            return await choose(session, text, guild_id=guild_id)

    game = await persistently(work)
    players = [participant.user_id for participant in game.participants]
    open_now = game.status is GameStatus.SCHEDULED
    return Answer(embeds=[game_embed(game, players)], view=signup(game.id) if open_now else None)
