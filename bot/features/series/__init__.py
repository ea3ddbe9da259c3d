"""The `/series` commands, for games that repeat. `repeat` of `/game create` starts a series."""

from __future__ import annotations

from discord import app_commands

from bot.client import QuestbellClient
from bot.features.series.commands import SeriesCommands


def setup(_client: QuestbellClient, tree: app_commands.CommandTree[QuestbellClient]) -> None:
    """Add the feature to a client before it connects."""
    tree.add_command(SeriesCommands())
