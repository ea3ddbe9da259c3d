"""The buttons under an announcement, found by their ids alone: they work after a restart and on any replica."""

from __future__ import annotations

import re
from typing import Any, Self
from uuid import UUID

import discord

from bot.features.answering import answer
from bot.features.games import _signup
from bot.rendering.payload import JOIN_ID, LEAVE_ID

Pressed = discord.Interaction[Any]
"""The library promises buttons to any client; ours is a `QuestbellBot`."""

_GAME = r"(?P<game>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_MARK = r"(?::[\w-]{22})?"
"""What a message that was told carries besides: the mark by which it is found again."""


class JoinButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=JOIN_ID + _GAME + _MARK):
    """Signs up whoever presses it."""

    def __init__(self, game_id: UUID) -> None:
        style = discord.ButtonStyle.success
        super().__init__(discord.ui.Button(label="Join", style=style, custom_id=f"{JOIN_ID}{game_id}"))
        self.game_id = game_id

    @classmethod
    async def from_custom_id(cls, _interaction: Pressed, _item: discord.ui.Item[Any], match: re.Match[str], /) -> Self:
        """Make the button that was pressed from its id."""
        return cls(UUID(match["game"]))

    async def callback(self, interaction: Pressed) -> None:
        """Sign up."""
        await answer(interaction, lambda: _signup.join(interaction, self.game_id))


class LeaveButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=LEAVE_ID + _GAME + _MARK):
    """Takes whoever presses it off the roster."""

    def __init__(self, game_id: UUID) -> None:
        super().__init__(discord.ui.Button(label="Leave", custom_id=f"{LEAVE_ID}{game_id}"))
        self.game_id = game_id

    @classmethod
    async def from_custom_id(cls, _interaction: Pressed, _item: discord.ui.Item[Any], match: re.Match[str], /) -> Self:
        """Make the button that was pressed from its id."""
        return cls(UUID(match["game"]))

    async def callback(self, interaction: Pressed) -> None:
        """Leave."""
        await answer(interaction, lambda: _signup.leave(interaction, self.game_id))


def signup(game_id: UUID) -> discord.ui.View:
    """Return both buttons, to be shown with an answer."""
    view = discord.ui.View(timeout=None)
    view.add_item(JoinButton(game_id))
    view.add_item(LeaveButton(game_id))
    return view
