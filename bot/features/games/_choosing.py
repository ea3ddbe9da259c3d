"""Which session a person means: one chosen from the suggestions, or part of a title typed in full."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.errors import UserError
from bot.rendering.escaping import clean, escape
from shared.games import find_game, upcoming_games
from shared.models import Game

SEARCHED = 200
"""How many of a server's coming sessions are looked through, the soonest."""


async def choose(session: AsyncSession, text: str, *, guild_id: int) -> Game:
    """Return the session of this server that a text names: an id (what a suggestion sends) or part of its title.

    Raises:
        UserError: none or several fit.
    """
    game_id = _id(text)
    if game_id is not None and (game := await find_game(session, game_id, guild_id=guild_id)) is not None:
        return game
    games = await upcoming_games(session, guild_id, limit=SEARCHED)
    named = [game for game in games if _folded(game.title) == _folded(text)]
    found = named or titled(games, text)
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"{len(found)} games match that title. Choose one from the suggestions as you type.")
    raise UserError(
        f"I can't find an upcoming game called “{escape(text, limit=80)}”. "
        "Choose one from the suggestions as you type, or see `/game list`."
    )


def titled(games: Sequence[Game], text: str) -> list[Game]:
    """Return the games whose titles hold a text, in whatever case."""
    return [game for game in games if _folded(text) in _folded(game.title)]


def _folded(text: str) -> str:
    return clean(text).casefold()


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
