"""The error for invalid input. It is separate from `interactions` so that parsers do not depend on discord.py."""

from __future__ import annotations

from shared.errors import QuestbellError


class UserError(QuestbellError):
    """Something that cannot be done as the user entered it.

    The message is shown to the user. It says what is wrong and what to enter instead, with an example.
    """
