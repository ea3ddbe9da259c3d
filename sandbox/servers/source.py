"""Chooses where PostgreSQL and RabbitMQ come from: Docker, else this machine's binaries, else apt.

Docker is first since its images are the versions that the chart deploys. `QUESTBELL_SANDBOX_SERVERS` forces the choice,
because continuous integration must know which of them it tested.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sandbox.servers import apt, containers
from sandbox.servers.errors import ServerFailedError, ServerNotAvailableError
from sandbox.servers.lifecycle import Report
from shared.errors import ConfigurationError

SETTING = "QUESTBELL_SANDBOX_SERVERS"


class Choice(StrEnum):
    """The values of `QUESTBELL_SANDBOX_SERVERS`."""

    AUTO = "auto"
    DOCKER = "docker"
    BINARIES = "binaries"

    @classmethod
    def from_environment(cls) -> Choice:
        """The user's choice.

        Raises:
            ConfigurationError: the setting has another value.
        """
        value = os.environ.get(SETTING) or cls.AUTO
        try:
            return cls(value)
        except ValueError:
            raise ConfigurationError(f"{SETTING} is {value!r}; it must be one of {', '.join(cls)}") from None


@dataclass(frozen=True)
class Wanted:
    """A server to find or install."""

    name: str
    setting: str
    image: str
    package: str
    find: Callable[[], Path | None]
    """Finds its binaries on this machine."""


async def obtain(wanted: Wanted, *, report: Report) -> Path | None:
    """Find or install a server; return the folder of its binaries, or None when Docker has its image.

    Raises:
        ServerNotAvailableError: neither is available; the message says what to do.
    """
    choice = Choice.from_environment()
    if choice is not Choice.BINARIES and await _in_docker(wanted, choice, report):
        return None
    return await obtain_on_this_machine(wanted, report=report)


async def obtain_on_this_machine(wanted: Wanted, *, report: Report) -> Path:
    """Find or install a server whose programs are run by another one; return the folder of its binaries.

    Raises:
        ServerNotAvailableError: it is missing and cannot be installed; the message says what to do.
    """
    found = wanted.find() or await _installed(wanted, report)
    if found is None:
        raise ServerNotAvailableError(
            f"{wanted.name} is not on this machine: install it ('apt-get install {wanted.package}' as root), "
            f"start Docker, or give the URL of a server that you have in {wanted.setting}"
        )
    return found


async def _in_docker(wanted: Wanted, choice: Choice, report: Report) -> bool:
    try:
        await containers.ensure_image(wanted.image, report=report)
    except ServerNotAvailableError as error:
        if choice is Choice.DOCKER:
            raise ServerNotAvailableError(f"{SETTING} is {choice}, but {error}") from error
        return False
    return True


async def _installed(wanted: Wanted, report: Report) -> Path | None:
    if not await apt.may_install():
        return None
    report(f"installing {wanted.name} (apt-get install {wanted.package})")
    try:
        await apt.install(wanted.package)
    except ServerFailedError as error:
        raise ServerNotAvailableError(
            f"{wanted.name} could not be installed; install the package {wanted.package}, start Docker, or give the "
            f"URL of a server that you have in {wanted.setting}. {error}"
        ) from error
    return wanted.find()
