"""Sessions on Discord: the `/game` commands, and the buttons by which players join and leave.

Everything here is a short transaction and a private answer. Announcing, reminding and telling of a cancellation is
the delivery side's work, from the rows that those transactions write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.features.games._buttons import JoinButton, LeaveButton
from bot.features.games._commands import GameCommands

if TYPE_CHECKING:
    from bot.gateway import QuestbellBot


def setup(bot: QuestbellBot) -> None:
    """Add the feature to a bot that has not connected yet."""
    bot.tree.add_command(GameCommands())
    bot.add_dynamic_items(JoinButton, LeaveButton)
