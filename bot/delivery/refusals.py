"""What each of Discord's answers means for a delivery, in one table.

What matters is whether the message may exist. A refusal is definite: nothing was made. A 5xx, a reset or a time-out is
not: Discord may have made it. A 4xx without a code is no refusal of Discord's, but of its network or a proxy before it,
and passes. Codes: https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import PermanentError, TransientError


class Refused(PermanentError):
    """Discord said no, and will again."""

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class Postponed(TransientError):
    """Discord said no for now; nothing was made."""


class TooMany(Postponed):
    """A 429: too many requests, of this channel or, if `everywhere`, of this bot."""

    def __init__(self, message: str, *, retry_after: float, everywhere: bool) -> None:
        super().__init__(message, retry_after=retry_after)
        self.everywhere = everywhere


class Unreachable(Postponed):
    """Nobody heard the request."""


class Ambiguous(TransientError):
    """No answer, or one that does not tell whether the message was made."""


class HeldError(TransientError):
    """It is not our turn: nothing was tried, so nothing failed. `retry_after` says when it may be."""


@dataclass(frozen=True)
class Meaning:
    """What an error code means: whether another try can help, and what a person should do about it."""

    retry: bool
    advice: str


UNKNOWN_MESSAGE = 10008
CLOSED_DMS = 50007
OPENING_DMS_TOO_FAST = 40003
NO_SHARED_SERVER = 50278

MEANINGS: dict[int, Meaning] = {
    10003: Meaning(False, "the channel is gone"),
    10004: Meaning(False, "the server is gone, or the bot is not in it any more"),
    UNKNOWN_MESSAGE: Meaning(False, "the message was deleted"),
    10013: Meaning(False, "the user is gone"),
    20016: Meaning(True, "slow mode is on in the channel"),
    20022: Meaning(True, "the channel's limit of edits is reached"),
    20028: Meaning(True, "the channel's limit of writes is reached"),
    30046: Meaning(True, "the limit of edits of an old message is reached"),
    40001: Meaning(True, "the bot's token is refused: see DISCORD_TOKEN"),
    OPENING_DMS_TOO_FAST: Meaning(True, "direct messages are opened too fast"),
    40005: Meaning(False, "the message is too large"),
    40333: Meaning(True, "Discord's network refuses requests for now"),
    50001: Meaning(False, "the bot cannot see the channel: give it View Channel"),
    CLOSED_DMS: Meaning(False, "the user takes no direct messages from the bot"),
    50013: Meaning(False, "the bot lacks a permission: give it Send Messages and Embed Links"),
    50035: Meaning(False, "Discord does not accept the message's form"),
    50083: Meaning(False, "the thread is archived"),
    NO_SHARED_SERVER: Meaning(False, "the user shares no server with the bot"),
    130000: Meaning(True, "Discord is overloaded"),
    160006: Meaning(False, "the server has too many active threads"),
}

_TOO_MANY_REQUESTS = 429
_PATIENCE = 1.0
"""Seconds to wait after a 429 that does not say how long."""
_UNAUTHORIZED = 401
_TIMED_OUT = 408
"""A proxy's word that it waited too long, maybe for Discord."""
_SERVER_ERROR = 500


def refusal(
    status: int, *, code: int, text: str, retry_after: float | None, everywhere: bool = False
) -> PermanentError | TransientError:
    """Return the error for an answer that is not a success; `everywhere` is what a 429 says of its scope."""
    meaning = MEANINGS.get(code)
    what = f"Discord answered {status} ({code}): {meaning.advice if meaning else text[:200]}"
    if status >= _SERVER_ERROR or status == _TIMED_OUT:
        return Ambiguous(what)
    if status == _TOO_MANY_REQUESTS:
        return TooMany(what, retry_after=_PATIENCE if retry_after is None else retry_after, everywhere=everywhere)
    if status == _UNAUTHORIZED or (meaning.retry if meaning else not code):
        return Postponed(what, retry_after=retry_after)
    return Refused(what, code=code)
