"""What every private server can do, whether it is a process, a container, or somebody else's.

The handles that tests and the demo hold (`Postgres`, `RabbitMQ`) know only this, so a test that stops the broker reads
the same wherever the broker runs.
"""

from __future__ import annotations

from typing import NoReturn, Protocol

from sandbox.servers.errors import ServerIsForeignError


class Report(Protocol):
    """Told one line before or during every step that a person would wait for."""

    def __call__(self, step: str, /) -> None:
        """Show the line."""


class Lifecycle(Protocol):
    """A server that can be stopped and started again at the same address."""

    async def start(self) -> None:
        """Return when it serves."""

    async def stop(self) -> None:
        """Return when it is gone; its data stays."""


class Wipeable(Lifecycle, Protocol):
    """One that can lose its data, too."""

    async def wipe(self) -> None:
        """Lose all data and serve again at the same address, as after a disk was replaced."""


class Foreign:
    """A server that a setting gave: we use it and leave its life alone."""

    def __init__(self, name: str, *, setting: str) -> None:
        self._name = name
        self._setting = setting

    async def start(self) -> None:
        """Refuse."""
        self.refuse("start")

    async def stop(self) -> None:
        """Refuse."""
        self.refuse("stop")

    async def wipe(self) -> None:
        """Refuse."""
        self.refuse("wipe")

    def refuse(self, wish: str) -> NoReturn:
        """Say that this cannot be done with such a server.

        Raises:
            ServerIsForeignError: always.
        """
        raise ServerIsForeignError(
            f"cannot {wish} this {self._name}: it was given by {self._setting}. Unset that to get a private one."
        )
