"""The error for invalid input, separate so that parsers do not depend on discord.py."""

from __future__ import annotations

from shared.errors import QuestbellError


class UserError(QuestbellError):
    """Something that cannot be done as the user entered it.

    The user sees the message, which says what to enter instead.
    """
