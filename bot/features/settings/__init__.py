"""The `/settings` commands."""

from __future__ import annotations

from discord import app_commands

from bot.client import QuestbellClient
from bot.features.settings.commands import SettingsCommands


def setup(_client: QuestbellClient, tree: app_commands.CommandTree[QuestbellClient]) -> None:
    """Add the feature to a client before it connects."""
    tree.add_command(SettingsCommands())
