"""The errors of Questbell. Each type says what the caller does next.

Library exceptions are translated at the boundary, so that callers never have to catch everything.
"""

from __future__ import annotations

import asyncio


class QuestbellError(Exception):
    """The base of all our errors. The message defaults to the first line of the docstring."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class ConfigurationError(QuestbellError):
    """A setting is missing or wrong; waiting does not help.

    The process prints the message, which names the setting, and exits with code 2.
    """


class TransientError(QuestbellError):
    """A failure that a retry may fix, such as a time-out, a 5xx or a lost connection.

    `retry_after` is the delay in seconds that the other side asked for, if any.
    """

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(QuestbellError):
    """A failure that no retry fixes, such as an unknown channel, a missing permission or a rejected payload."""


class EnvelopeError(PermanentError):
    """A message that cannot be used: no envelope, or one that contradicts its row. The row stays as it is."""


class NewerMessageError(PermanentError):
    """A message of a newer release. Its row is published again, for a bot that can read it."""


class BodyTooLargeError(PermanentError):
    """An event is larger than a message may be."""


def describe(error: BaseException) -> str:
    """Return an error's message, or its type without one."""
    return str(error) or type(error).__name__


def reraise_cancellation() -> None:
    """Re-raise a cancellation that cleanup code or a library swallowed.

    A loop that restarts work after an error must call this first, otherwise its task could not be cancelled.

    Raises:
        CancelledError: this task was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
