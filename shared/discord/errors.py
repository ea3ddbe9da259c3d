"""The errors of a Discord request, and the one table of what is done about each error code.

A rejection is definite: nothing was created. After a 5xx, a reset or a time-out, the message may exist. A 4xx without
an error code comes from Discord's network or a proxy, and is temporary. Codes:
https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from shared.errors import PermanentError, TransientError


class RequestRejectedError(PermanentError):
    """Discord rejected the request.

    Repeating it is useless, unless a person `can_lift` the obstacle. `advice` says what is wrong, and perhaps how.
    """

    def __init__(self, message: str, *, code: int = 0, advice: str = "", can_lift: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.advice = advice or message
        self.can_lift = can_lift


class TemporarilyUnavailableError(TransientError):
    """Discord did not accept the request now; nothing was created."""


class RateLimitedError(TemporarilyUnavailableError):
    """A 429: too many requests for this channel or, if `is_global`, for this bot."""

    def __init__(self, message: str, *, retry_after: float, is_global: bool) -> None:
        super().__init__(message, retry_after=retry_after)
        self.is_global = is_global


class InvalidTokenError(TemporarilyUnavailableError):
    """Discord rejects the bot's token. Nothing is lost by it: a delivery waits for a valid token."""


class ConnectFailedError(TemporarilyUnavailableError):
    """No connection to Discord could be opened, so the request was not sent."""


class UncertainResultError(TransientError):
    """No answer, or one that does not say whether the message was created."""


class Handling(enum.Enum):
    """What is done after an error code."""

    RETRY = "retried after a backoff, or after the pause that Discord asks for"
    WAIT = (
        "retried slowly until the game begins, and a notice for an hour at least; "
        "a person can lift the obstacle, and the host is warned"
    )
    GIVE_UP = "final; the host gets a warning"


@dataclass(frozen=True)
class ErrorInfo:
    """What an error code means for a person, and what is done."""

    handling: Handling
    advice: str
    special: str = ""
    """What is tried first, if the code has a remedy."""


UNKNOWN_CHANNEL = 10003
UNKNOWN_MESSAGE = 10008
CLOSED_DMS = 50007
OPENING_DMS_TOO_FAST = 40003
NO_SHARED_SERVER = 50278
THREAD_ARCHIVED = 50083

ERROR_INFO: dict[int, ErrorInfo] = {
    UNKNOWN_CHANNEL: ErrorInfo(Handling.GIVE_UP, "the channel was deleted"),
    10004: ErrorInfo(Handling.WAIT, "the bot is not on the server; invite it again"),
    UNKNOWN_MESSAGE: ErrorInfo(
        Handling.GIVE_UP, "the message was deleted", "a deleted announcement is posted again while players can join"
    ),
    10013: ErrorInfo(Handling.GIVE_UP, "the user account was deleted"),
    20016: ErrorInfo(Handling.RETRY, "slow mode is on in the channel"),
    20022: ErrorInfo(Handling.RETRY, "the channel's edit limit is reached"),
    20028: ErrorInfo(Handling.RETRY, "the channel's write limit is reached"),
    20029: ErrorInfo(Handling.RETRY, "the server's write limit is reached"),
    30046: ErrorInfo(Handling.RETRY, "the limit for edits of old messages is reached"),
    40001: ErrorInfo(Handling.RETRY, "the bot's token is rejected; check DISCORD_TOKEN"),
    OPENING_DMS_TOO_FAST: ErrorInfo(Handling.RETRY, "direct messages are opened too fast"),
    40005: ErrorInfo(Handling.GIVE_UP, "the message is too large"),
    40333: ErrorInfo(Handling.RETRY, "Discord's network rejects requests at the moment"),
    50001: ErrorInfo(Handling.WAIT, "the bot cannot see the channel; give it View Channel"),
    CLOSED_DMS: ErrorInfo(
        Handling.GIVE_UP, "the user does not accept direct messages from the bot", "the channel mentions the player"
    ),
    50009: ErrorInfo(Handling.WAIT, "the server's verification level keeps the bot out of the channel"),
    50013: ErrorInfo(Handling.WAIT, "the bot lacks a permission; give it Send Messages and Embed Links"),
    50035: ErrorInfo(Handling.GIVE_UP, "Discord considers the message invalid"),
    THREAD_ARCHIVED: ErrorInfo(Handling.WAIT, "the thread is archived; open it again", "the thread is unarchived"),
    NO_SHARED_SERVER: ErrorInfo(
        Handling.GIVE_UP, "the user shares no server with the bot", "the channel mentions the player"
    ),
    130000: ErrorInfo(Handling.RETRY, "Discord is overloaded"),
    160005: ErrorInfo(Handling.WAIT, "the thread is locked; unlock it, or give the bot Manage Threads"),
    160006: ErrorInfo(Handling.WAIT, "the server has too many active threads; archive one"),
    200000: ErrorInfo(Handling.WAIT, "the server's AutoMod blocks the message; exempt the bot"),
}

LONGEST_PAUSE = 300.0
"""Seconds that a rate limit can set work aside. Discord's network asks for hours, and a broken proxy for anything."""
_UNAUTHORIZED = 401
_REQUEST_TIMEOUT = 408
"""From a proxy that waited too long, possibly for Discord."""
_FORBIDDEN = 403
_TOO_MANY_REQUESTS = 429
_DEFAULT_RETRY_AFTER = 1.0
"""Seconds after a 429 without a time."""
_SERVER_ERROR = 500


def error_for(
    status: int, *, code: int, text: str, retry_after: float | None, is_global: bool = False
) -> PermanentError | TransientError:
    """Return the error for an unsuccessful answer. `is_global` is the scope of a 429."""
    info = ERROR_INFO.get(code) or ErrorInfo(_handling_of_unknown(status, code), text[:200])
    reason = info.advice
    pause = limit_pause(retry_after)
    message = f"Discord answered {status}{f' ({code})' if code else ''}{f': {reason}' if reason else ''}"
    if status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT:
        return UncertainResultError(message)
    if status == _TOO_MANY_REQUESTS:
        return RateLimitedError(
            message, retry_after=_DEFAULT_RETRY_AFTER if pause is None else pause, is_global=is_global
        )
    if status == _UNAUTHORIZED:
        return InvalidTokenError(message, retry_after=pause)
    if info.handling is Handling.RETRY:
        return TemporarilyUnavailableError(message, retry_after=pause)
    return RequestRejectedError(message, code=code, advice=reason, can_lift=info.handling is Handling.WAIT)


def _handling_of_unknown(status: int, code: int) -> Handling:
    """Return what is done after a code that the table lacks, or without a code."""
    if not code:
        return Handling.RETRY
    return Handling.WAIT if status == _FORBIDDEN else Handling.GIVE_UP


def limit_pause(pause: float | None) -> float | None:
    """Return a pause that can be waited for, or None for nonsense such as a negative number."""
    if pause is None or math.isnan(pause) or pause < 0:
        return None
    return min(pause, LONGEST_PAUSE)
