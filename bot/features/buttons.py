"""Buttons whose ids carry the id of a row, so that they work after a restart and on any replica."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self
from uuid import UUID

import discord

ButtonInteraction = discord.Interaction[Any]
"""discord.py passes buttons the interaction of any client. Ours is a `QuestbellClient`."""

ROW_ID = r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"


NONCE = r"(?::[\w-]{22})?"
"""The nonce that identifies a delivered message."""


class RowButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"(?!)"):
    """A button about one row. Each kind has a template: its prefix and `ROW_ID`."""

    prefix: ClassVar[str]
    text: ClassVar[str]
    style: ClassVar[discord.ButtonStyle] = discord.ButtonStyle.secondary

    def __init__(self, row_id: UUID) -> None:
        custom_id = f"{self.prefix}{row_id}"
        super().__init__(discord.ui.Button(label=self.text, style=self.style, custom_id=custom_id))
        self.row_id = row_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: ButtonInteraction, _item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Create the pressed button."""
        return cls(UUID(match["id"]))
