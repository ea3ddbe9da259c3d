"""The Join and Leave buttons. Their ids carry the game, so they work after a restart and on any replica."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.errors import UserError
from bot.features.interactions import respond_once
from bot.rendering.escaping import escape
from bot.rendering.formatting import format_mention, format_timestamp
from bot.rendering.payload import JOIN_ID, LEAVE_ID
from shared.games import JoinResult, find_game, join_game, leave_game
from shared.models import Game, GameStatus
from shared.schedule.populate import reminder_times

ButtonInteraction = discord.Interaction[Any]
"""discord.py passes buttons the interaction of any client. Ours is a `QuestbellClient`."""

_GAME = r"(?P<game>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_NONCE = r"(?::[\w-]{22})?"
"""The nonce that identifies a delivered message."""

_CLOSED_REASONS = {
    GameStatus.IN_PROGRESS: "has started, so sign-ups are closed. Want to join late? Ask {host}.",
    GameStatus.COMPLETED: "is over.",
    GameStatus.CANCELLED: "is cancelled.",
}


class JoinButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=JOIN_ID + _GAME + _NONCE):
    """Signs the user up for a game."""

    def __init__(self, game_id: UUID) -> None:
        style = discord.ButtonStyle.success
        super().__init__(discord.ui.Button(label="Join", style=style, custom_id=f"{JOIN_ID}{game_id}"))
        self.game_id = game_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: ButtonInteraction, _item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Create the pressed button."""
        return cls(UUID(match["game"]))

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Sign up."""

        async def work(session: AsyncSession) -> str:
            game = await _require_game(session, self.game_id, guild_id=interaction.guild_id or 0)
            result = await join_game(session, game.id, user_id=interaction.user.id)
            return _describe_join(game, result)

        await respond_once(interaction, work)


class LeaveButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=LEAVE_ID + _GAME + _NONCE):
    """Takes the user off a game's roster."""

    def __init__(self, game_id: UUID) -> None:
        super().__init__(discord.ui.Button(label="Leave", custom_id=f"{LEAVE_ID}{game_id}"))
        self.game_id = game_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: ButtonInteraction, _item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Create the pressed button."""
        return cls(UUID(match["game"]))

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Leave."""

        async def work(session: AsyncSession) -> str:
            game = await _require_game(session, self.game_id, guild_id=interaction.guild_id or 0)
            if await leave_game(session, game.id, user_id=interaction.user.id):
                return f"You've left {_format_title(game)}. I won't remind you about it."
            return f"You're not in {_format_title(game)}."

        await respond_once(interaction, work)


def signup_view(game_id: UUID) -> discord.ui.View:
    """Return both buttons for a reply."""
    view = discord.ui.View(timeout=None)
    view.add_item(JoinButton(game_id))
    view.add_item(LeaveButton(game_id))
    return view


def _describe_join(game: Game, result: JoinResult) -> str:
    title = _format_title(game)
    when = f"{format_timestamp(game.scheduled_at, 'F')} ({format_timestamp(game.scheduled_at, 'R')})"
    match result:
        case JoinResult.JOINED:
            reminder = " I'll remind you. To choose where, use `/game remind-me`." if _has_reminders_left(game) else ""
            return f"You're in! {title} starts on {when}.{reminder}"
        case JoinResult.ALREADY_JOINED:
            return f"You're already in. {title} starts on {when}."
        case JoinResult.FULL:
            return f"{title} is full. Try again if someone drops out."
        case JoinResult.CLOSED:
            reason = _CLOSED_REASONS.get(game.status, "isn't open for sign-ups.")
            return f"{title} {reason.format(host=format_mention(game.host_id))}"


async def _require_game(session: AsyncSession, game_id: UUID, *, guild_id: int) -> Game:
    game = await find_game(session, game_id, guild_id=guild_id)
    if game is None:
        raise UserError("This game no longer exists. See `/game list` for upcoming games.")
    return game


def _has_reminders_left(game: Game) -> bool:
    return bool(reminder_times(game, after=datetime.now(UTC)))


def _format_title(game: Game) -> str:
    return f"**{escape(game.title, limit=200)}**"
