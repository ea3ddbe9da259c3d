"""What can go wrong with the sandbox's servers, by what the caller does next.

The messages are for a person at a terminal: they name the server, the setting or the package, and for a server that
did not come up the last lines of its log, since its directory is often gone by the time somebody reads them.
"""

from __future__ import annotations

from shared.errors import ConfigurationError, QuestbellError


class ServerNotAvailableError(ConfigurationError):
    """There is nowhere to take a server from; the message says what to install or which setting to give."""


class ServerFailedError(QuestbellError):
    """A server, or a program that installs one, did not do its work; the message ends with its last lines."""


class ServerIsForeignError(ConfigurationError):
    """The server was given by a setting, so it is not ours to stop, wipe or look into."""
