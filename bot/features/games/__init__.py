"""Games on Discord: the `/game` commands, and the buttons to join and leave.

Everything here is a short transaction and a private reply. The delivery code posts announcements, reminders and
cancellations from the rows that those transactions write.
"""

from __future__ import annotations

from discord import app_commands

from bot.client import QuestbellClient
from bot.features.games.commands import GameCommands
from bot.features.games.signup import JoinButton, LeaveButton


def setup(client: QuestbellClient, tree: app_commands.CommandTree[QuestbellClient]) -> None:
    """Add the feature to a client that has not connected yet."""
    tree.add_command(GameCommands())
    client.add_dynamic_items(JoinButton, LeaveButton)
