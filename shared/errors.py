"""The errors of Questbell: each type says what the caller does next.

Foreign exceptions are translated into these at the boundary where they are known (the database, the broker,
Discord), so that nothing above needs to know the libraries below, and nothing has to catch everything.
"""

from __future__ import annotations

import asyncio


class QuestbellError(Exception):
    """The base of all our errors. The message defaults to the docstring's first line."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class ConfigurationError(QuestbellError):
    """A setting is missing or wrong; waiting does not help.

    The process prints the message, which names the setting, and exits with code 2.
    """


class TransientError(QuestbellError):
    """Something that another attempt may cure: a time-out, a 5xx, a lost connection.

    `retry_after` is the other side's own wish in seconds, when it stated one.
    """

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(QuestbellError):
    """Something that no further attempt cures: an unknown channel, a missing permission, a refused payload."""


def raise_if_cancelled() -> None:
    """Go on with a cancellation that was lost on the way out.

    Closing something in a `finally` may fail, and its error then stands where the CancelledError stood; libraries
    swallow it too. Who starts again after an error must ask this first, else the task would never end.

    Raises:
        CancelledError: this task was asked to end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class EnvelopeError(PermanentError):
    """A message that cannot be read: not JSON, an unknown event, or a schema newer than this release."""


class BodyTooLargeError(PermanentError):
    """An event is larger than a message may be."""
