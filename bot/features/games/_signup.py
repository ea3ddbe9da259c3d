"""Joining and leaving: one transaction each, and a private answer that says how things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.answering import Answer
from bot.features.errors import UserError
from bot.features.retrying import persistently
from bot.rendering.escaping import escape
from bot.rendering.formatting import format_mention, format_timestamp
from shared import database
from shared.games import Joining, find_game, join_game, leave_game
from shared.models import Game, GameStatus

if TYPE_CHECKING:
    from bot.features.answering import Interaction

_CLOSED = {
    GameStatus.IN_PROGRESS: "has started, so sign-ups are closed. If you'd still like to join, ask the host, {host}.",
    GameStatus.COMPLETED: "is over.",
    GameStatus.CANCELLED: "is cancelled.",
}


async def join(interaction: Interaction, game_id: UUID) -> Answer:
    """Sign a player up.

    Raises:
        UserError: there is no such session on this server.
    """

    async def work() -> tuple[Game, Joining]:
        async with database.transaction(interaction.client.sessions) as session:
            game = await _existing(session, game_id, guild_id=interaction.guild_id or 0)
            return game, await join_game(session, game_id, user_id=interaction.user.id)

    game, outcome = await persistently(work)
    when = f"{format_timestamp(game.scheduled_at, 'F')} ({format_timestamp(game.scheduled_at, 'R')})"
    match outcome:
        case Joining.JOINED:
            remind = " I'll remind you. To choose where, use `/game remind-me`." if game.reminder_offsets else ""
            return Answer(f"You're in: {_title(game)}, {when}.{remind}")
        case Joining.ALREADY_IN:
            return Answer(f"You're already in {_title(game)}, {when}.")
        case Joining.FULL:
            return Answer(f"{_title(game)} is full. Try again if someone drops out.")
        case Joining.CLOSED:
            reason = _CLOSED.get(game.status, "isn't open for sign-ups.").format(host=format_mention(game.host_id))
            return Answer(f"{_title(game)} {reason}")


async def leave(interaction: Interaction, game_id: UUID) -> Answer:
    """Take a player off the roster.

    Raises:
        UserError: there is no such session on this server.
    """

    async def work() -> tuple[Game, bool]:
        async with database.transaction(interaction.client.sessions) as session:
            game = await _existing(session, game_id, guild_id=interaction.guild_id or 0)
            return game, await leave_game(session, game_id, user_id=interaction.user.id)

    game, left = await persistently(work)
    if left:
        return Answer(f"You've left {_title(game)}. I won't remind you about it.")
    return Answer(f"You're not in {_title(game)}.")


async def _existing(session: AsyncSession, game_id: UUID, *, guild_id: int) -> Game:
    game = await find_game(session, game_id, guild_id=guild_id)
    if game is None:
        raise UserError("This game no longer exists. See `/game list` for upcoming games.")
    return game


def _title(game: Game) -> str:
    return f"**{escape(game.title, limit=200)}**"
