"""What follows from a rejected request: the wait for a person to lift the obstacle, and the warning to the host."""

from __future__ import annotations

from bot.notifications import NotificationContext
from shared.discord.errors import RequestRejectedError
from shared.schedule.notices import refused_until
from shared.settings import Timing

UNKNOWN_RESULT = (
    "Discord didn't say whether it accepted a message, and I can't read the channel to find out. "
    "I won't send it again. Give me Read Message History, and check the channel."
)
_RETRIED = "I'll keep trying: reminders until the game begins, other messages for an hour at least."
"""What `refused_until` decides. One text for all kinds, because a host gets each reason of a game once."""
_SHARE_OF_TIME_LEFT = 1 / 20
"""So that a reminder a day ahead asks every few minutes, and one at the start can still be in time."""


def pause_until_lifted(rejected: RequestRejectedError, context: NotificationContext, timing: Timing) -> float | None:
    """Return the seconds until a rejected request is tried again, None if that is useless or too late."""
    left = (refused_until(context.notification) - context.now).total_seconds()
    if not rejected.can_lift or left <= 0:
        return None
    return min(max(left * _SHARE_OF_TIME_LEFT, timing.backoff_max / 4), timing.backoff_max * 2)


def describe_obstacle(rejected: RequestRejectedError, *, is_retried: bool) -> str:
    """Return the warning about a rejected request."""
    end = _RETRIED if is_retried else "I won't try again."
    return f"Discord says: {rejected.advice}. {end}"
