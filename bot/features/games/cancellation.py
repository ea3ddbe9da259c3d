"""Asks before a game is cancelled, because everyone in it is notified and it can't be undone."""

from __future__ import annotations

import re
from typing import Any, Self
from uuid import UUID

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.games.lookup import find_game_by_text
from bot.features.interactions import Reply, respond_once
from bot.features.rights import require_manager
from bot.rendering.escaping import escape
from bot.rendering.formatting import format_timestamp
from shared.formatting import plural
from shared.games import cancel_game, find_game
from shared.models import Game, GameStatus

ButtonInteraction = discord.Interaction[Any]
"""discord.py passes buttons the interaction of any client. Ours is a `QuestbellClient`."""

CANCEL_ID = "questbell:cancel:"
KEEP_ID = "questbell:keep:"
_GAME = r"(?P<game>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"


async def ask_to_cancel(interaction: Interaction, text: str) -> None:
    """Ask whether to cancel the game that the text means, unless it is over already."""

    async def find(session: AsyncSession) -> Game:
        game = await find_game_by_text(session, text, guild_id=interaction.guild_id or 0)
        await require_manager(session, interaction, game, verb="cancel")
        return game

    async def work(session: AsyncSession) -> str:
        game = await find(session)
        _require_open(game)
        players = len(game.participants)
        notified = f"I'll notify its {plural(players, 'player')}. " if players else ""
        return (
            f"Cancel {_format_title(game)} on {format_timestamp(game.scheduled_at, 'F')}? "
            f"{notified}This can't be undone."
        )

    async def show(session: AsyncSession) -> Reply:
        try:
            game = await find(session)
            _require_open(game)
        except UserError:
            return Reply()
        view = discord.ui.View(timeout=None)
        view.add_item(CancelButton(game.id))
        view.add_item(KeepButton(game.id))
        return Reply(view=view)

    await respond_once(interaction, work, show=show)


class CancelButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=CANCEL_ID + _GAME):
    """Cancels the game."""

    def __init__(self, game_id: UUID) -> None:
        style = discord.ButtonStyle.danger
        super().__init__(discord.ui.Button(label="Cancel the game", style=style, custom_id=f"{CANCEL_ID}{game_id}"))
        self.game_id = game_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: ButtonInteraction, _item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Create the pressed button."""
        return cls(UUID(match["game"]))

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Cancel."""

        async def work(session: AsyncSession) -> str:
            game = await find_game(session, self.game_id, guild_id=interaction.guild_id)
            if game is None:
                raise UserError("This game no longer exists. See `/game list` for upcoming games.")
            await require_manager(session, interaction, game, verb="cancel")
            if await cancel_game(session, game.id, actor_id=interaction.user.id):
                return f"{_format_title(game)} is cancelled. I'm letting the players know."
            _require_open(game)
            return ""

        await respond_once(interaction, work, in_place=True)


class KeepButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=KEEP_ID + _GAME):
    """Leaves the game as it is."""

    def __init__(self, game_id: UUID) -> None:
        super().__init__(discord.ui.Button(label="Keep it", custom_id=f"{KEEP_ID}{game_id}"))
        self.game_id = game_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: ButtonInteraction, _item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Create the pressed button."""
        return cls(UUID(match["game"]))

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Say that nothing has changed."""

        async def work(session: AsyncSession) -> str:
            game = await find_game(session, self.game_id, guild_id=interaction.guild_id)
            return "Nothing has changed." if game is None else f"{_format_title(game)} stays as it is."

        await respond_once(interaction, work, in_place=True)


def _require_open(game: Game) -> None:
    if game.status is GameStatus.CANCELLED:
        raise UserError(f"{_format_title(game)} is already cancelled.")
    if game.status.is_final:
        raise UserError(f"{_format_title(game)} is already over, so there's nothing to cancel.")


def _format_title(game: Game) -> str:
    return f"**{escape(game.title, limit=200)}**"
