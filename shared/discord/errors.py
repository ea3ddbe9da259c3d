"""The errors of a Discord request, and the table that classifies its answers.

A rejection is definite: nothing was created. After a 5xx, a reset or a time-out, the message may exist. A 4xx without
an error code comes from Discord's network or a proxy, and is temporary. Codes:
https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import PermanentError, TransientError


class RequestRejectedError(PermanentError):
    """Discord rejected the request for good."""

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


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


@dataclass(frozen=True)
class ErrorInfo:
    """Whether a retry can help, and advice for a person."""

    retryable: bool
    advice: str


UNKNOWN_MESSAGE = 10008
CLOSED_DMS = 50007
OPENING_DMS_TOO_FAST = 40003
NO_SHARED_SERVER = 50278

ERROR_INFO: dict[int, ErrorInfo] = {
    10003: ErrorInfo(False, "the channel was deleted"),
    10004: ErrorInfo(False, "the server was deleted, or the bot was removed from it"),
    UNKNOWN_MESSAGE: ErrorInfo(False, "the message was deleted"),
    10013: ErrorInfo(False, "the user account was deleted"),
    20016: ErrorInfo(True, "slow mode is on in the channel"),
    20022: ErrorInfo(True, "the channel's edit limit is reached"),
    20028: ErrorInfo(True, "the channel's write limit is reached"),
    30046: ErrorInfo(True, "the limit for edits of old messages is reached"),
    40001: ErrorInfo(True, "the bot's token is rejected; check DISCORD_TOKEN"),
    OPENING_DMS_TOO_FAST: ErrorInfo(True, "direct messages are opened too fast"),
    40005: ErrorInfo(False, "the message is too large"),
    40333: ErrorInfo(True, "Discord's network rejects requests at the moment"),
    50001: ErrorInfo(False, "the bot cannot see the channel; give it View Channel"),
    CLOSED_DMS: ErrorInfo(False, "the user does not accept direct messages from the bot"),
    50013: ErrorInfo(False, "the bot lacks a permission; give it Send Messages and Embed Links"),
    50035: ErrorInfo(False, "Discord considers the message invalid"),
    50083: ErrorInfo(False, "the thread is archived"),
    NO_SHARED_SERVER: ErrorInfo(False, "the user shares no server with the bot"),
    130000: ErrorInfo(True, "Discord is overloaded"),
    160006: ErrorInfo(False, "the server has too many active threads"),
}

_UNAUTHORIZED = 401
_REQUEST_TIMEOUT = 408
"""From a proxy that waited too long, possibly for Discord."""
_TOO_MANY_REQUESTS = 429
_DEFAULT_RETRY_AFTER = 1.0
"""Seconds after a 429 without a time."""
_SERVER_ERROR = 500


def error_for(
    status: int, *, code: int, text: str, retry_after: float | None, is_global: bool = False
) -> PermanentError | TransientError:
    """Return the error for an unsuccessful answer. `is_global` is the scope of a 429."""
    info = ERROR_INFO.get(code)
    reason = info.advice if info else text[:200]
    message = f"Discord answered {status}{f' ({code})' if code else ''}{f': {reason}' if reason else ''}"
    if status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT:
        return UncertainResultError(message)
    if status == _TOO_MANY_REQUESTS:
        pause = _DEFAULT_RETRY_AFTER if retry_after is None else retry_after
        return RateLimitedError(message, retry_after=pause, is_global=is_global)
    if status == _UNAUTHORIZED:
        return InvalidTokenError(message, retry_after=retry_after)
    if info.retryable if info else not code:
        return TemporarilyUnavailableError(message, retry_after=retry_after)
    return RequestRejectedError(message, code=code)
