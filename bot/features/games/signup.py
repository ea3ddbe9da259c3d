"""The Join and Leave buttons. Their ids carry the game, so they work after a restart and on any replica."""

from __future__ import annotations

import re
from typing import Any, Self
from uuid import UUID

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.errors import UserError
from bot.features.interactions import respond_once
from bot.rendering.escaping import escape
from bot.rendering.formatting import format_mention, format_timestamp
from bot.rendering.payload import JOIN_ID, LEAVE_ID
from shared import database
from shared.audit import record_game_change
from shared.games import JoinResult, LeaveResult, find_game, join_game, leave_game, remember_guild_name
from shared.models import AuditAction, Game, GameStatus
from shared.schedule.populate import reminder_times
from shared.users import read_own_settings

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
            game = await _require_game(session, self.game_id, guild_id=interaction.guild_id)
            if interaction.guild is not None and interaction.guild.name:
                await remember_guild_name(session, game.guild_id, name=interaction.guild.name)
            result = await join_game(session, game.id, user_id=interaction.user.id)
            if result is JoinResult.JOINED:
                await record_game_change(session, game, AuditAction.JOINED, actor_id=interaction.user.id)
            if result in (JoinResult.JOINED, JoinResult.ALREADY_JOINED):
                return f"{_describe_join(game, result)}{await _promise_reminders(session, game, interaction.user.id)}"
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
            game = await _require_game(session, self.game_id, guild_id=interaction.guild_id)
            result = await leave_game(session, game.id, user_id=interaction.user.id)
            if result is LeaveResult.LEFT:
                await record_game_change(session, game, AuditAction.LEFT, actor_id=interaction.user.id)
            return _describe_leave(game, result, is_host=interaction.user.id == game.host_id)

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
            return f"You're in! {title} starts on {when}."
        case JoinResult.ALREADY_JOINED:
            return f"You're already in. {title} starts on {when}."
        case JoinResult.FULL:
            return f"{title} is full. Try again if someone drops out."
        case JoinResult.CLOSED:
            reason = _CLOSED_REASONS.get(game.status, "isn't open for sign-ups.")
            return f"{title} {reason.format(host=format_mention(game.host_id))}"


def _describe_leave(game: Game, result: LeaveResult, *, is_host: bool) -> str:
    title = _format_title(game)
    match result:
        case LeaveResult.LEFT if is_host:
            return f"You've left {title}. I'll still remind you, because you're the host."
        case LeaveResult.LEFT:
            return f"You've left {title}. I won't remind you about it."
        case LeaveResult.NOT_JOINED:
            return f"You're not in {title}."
        case LeaveResult.OVER:
            return f"{title} {_CLOSED_REASONS[game.status]}"


async def _promise_reminders(session: AsyncSession, game: Game, user_id: int) -> str:
    """Return where and when the next reminder comes, or an empty text if none is left."""
    times = reminder_times(game, after=await database.now(session)).values()
    if not times:
        return ""
    settings = await read_own_settings(session, user_id)
    if settings.reminders_off:
        return " I won't remind you, because you turned reminders off. To turn them on, use `/settings me`."
    where = "by DM" if settings.is_reached_by_dm else f"in <#{game.channel_id}>"
    first = " first" if len(times) > 1 else ""
    return (
        f" I'll remind you {where},{first} on {format_timestamp(min(times), 'f')}. To choose where, use `/settings me`."
    )


async def _require_game(session: AsyncSession, game_id: UUID, *, guild_id: int | None) -> Game:
    game = await find_game(session, game_id, guild_id=guild_id)
    if game is None:
        raise UserError("This game no longer exists. See `/game list` for upcoming games.")
    return game


def _format_title(game: Game) -> str:
    return f"**{escape(game.title, limit=200)}**"
