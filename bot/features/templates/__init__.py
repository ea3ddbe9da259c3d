"""The `/template` commands: what the games of one kind have in common."""

from __future__ import annotations

from discord import app_commands

from bot.client import QuestbellClient
from bot.features.templates.commands import TemplateCommands


def setup(_client: QuestbellClient, tree: app_commands.CommandTree[QuestbellClient]) -> None:
    """Add the feature to a client before it connects."""
    tree.add_command(TemplateCommands())
