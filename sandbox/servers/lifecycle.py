"""What every server can do, whether it is a process, a container, or named by a setting.

`Postgres` and `RabbitMQ` know only this, so a test that stops the broker is the same wherever the broker runs.
"""

from __future__ import annotations

from typing import NoReturn, Protocol

from sandbox.servers.errors import ServerIsForeignError


class Report(Protocol):
    """Called with a line before or during every step that takes time."""

    def __call__(self, step: str, /) -> None:
        """Show the line."""


class Lifecycle(Protocol):
    """A server that can be stopped and started again at the same address."""

    async def start(self) -> None:
        """Return when it serves."""

    async def stop(self) -> None:
        """Return when it has stopped; its data stays."""

    async def kill(self) -> None:
        """Return when it has died at once, as in a crash; `start` may follow."""


class Wipeable(Lifecycle, Protocol):
    """One that can lose its data, too."""

    async def wipe(self) -> None:
        """Lose all data and serve again at the same address, as with a new disk."""


class Foreign:
    """A server that a setting names: it is used, but never started, stopped or wiped."""

    def __init__(self, name: str, *, setting: str) -> None:
        self._name = name
        self._setting = setting

    async def start(self) -> None:
        """Refuse."""
        self.refuse("start")

    async def stop(self) -> None:
        """Refuse."""
        self.refuse("stop")

    async def kill(self) -> None:
        """Refuse."""
        self.refuse("kill")

    async def wipe(self) -> None:
        """Refuse."""
        self.refuse("wipe")

    def refuse(self, action: str) -> NoReturn:
        """Report that this cannot be done with such a server.

        Raises:
            ServerIsForeignError: always.
        """
        raise ServerIsForeignError(
            f"cannot {action} this {self._name}: {self._setting} names it. Unset that to get a private one."
        )
