"""The errors of the sandbox's servers.

The messages are for a person at a terminal: they name the server, the setting or the package, and for a server that
did not come up the last lines of its log, since its directory is often gone by the time somebody reads them.
"""

from __future__ import annotations

from shared.errors import ConfigurationError, QuestbellError


class ServerNotAvailableError(ConfigurationError):
    """No server is available; the message says what to install or which setting to use."""


class ServerFailedError(QuestbellError):
    """A server, or a program that installs one, failed; the message ends with its last lines."""


class ServerIsForeignError(ConfigurationError):
    """The server was named by a setting, so it must not be stopped, wiped or inspected."""
