"""What a person got wrong, told to that person."""

from __future__ import annotations

from shared.errors import QuestbellError


class UserError(QuestbellError):
    """A wish that cannot be fulfilled as it was written.

    The message is shown to the person: it says what is wrong and what to write instead, with an example.
    """
