"""The order of the sources of servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.servers import apt, containers
from sandbox.servers.errors import ServerFailedError, ServerNotAvailableError
from sandbox.servers.source import SETTING, Wanted, obtain
from shared.errors import ConfigurationError

BINARIES = Path("/somewhere/bin")


class Machine:
    """What a machine has, and what was installed on it."""

    def __init__(self) -> None:
        self.has_docker = False
        self.has_binaries = False
        self.lets_install = False
        self.package_exists = True
        self.steps: list[str] = []

    async def ensure_image(self, image: str, *, report: object) -> None:
        self.steps.append(f"docker {image}")
        if not self.has_docker:
            raise ServerNotAvailableError("no Docker daemon answers")

    async def may_install(self) -> bool:
        return self.lets_install

    async def install(self, package: str) -> None:
        self.steps.append(f"apt {package}")
        if not self.package_exists:
            raise ServerFailedError("apt-get failed: no such package")
        self.has_binaries = True

    async def obtain(self) -> Path | None:
        wanted = Wanted(
            "TheServer",
            setting="QUESTBELL_THE_URL",
            image="the:1",
            package="the-server",
            find=lambda: BINARIES if self.has_binaries else None,
        )
        return await obtain(wanted, report=self.steps.append)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setattr(containers, "ensure_image", machine.ensure_image)
    monkeypatch.setattr(apt, "may_install", machine.may_install)
    monkeypatch.setattr(apt, "install", machine.install)
    return machine


async def test_docker_comes_before_binaries(machine: Machine) -> None:
    machine.has_docker = machine.has_binaries = True
    assert await machine.obtain() is None


async def test_binaries_come_before_an_installation(machine: Machine) -> None:
    machine.has_binaries = machine.lets_install = True
    assert await machine.obtain() == BINARIES
    assert machine.steps == ["docker the:1"]


async def test_a_missing_server_is_installed(machine: Machine) -> None:
    machine.lets_install = True
    assert await machine.obtain() == BINARIES
    assert machine.steps[-1] == "apt the-server"


async def test_the_error_on_a_machine_without_anything_says_what_would_help(machine: Machine) -> None:
    with pytest.raises(ServerNotAvailableError, match=r"TheServer.*the-server.*Docker.*QUESTBELL_THE_URL"):
        await machine.obtain()


async def test_the_error_of_a_failed_installation_says_what_else_would_help(machine: Machine) -> None:
    machine.lets_install, machine.package_exists = True, False
    with pytest.raises(ServerNotAvailableError, match=r"QUESTBELL_THE_URL.*no such package"):
        await machine.obtain()


async def test_binaries_can_be_required(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "binaries")
    machine.has_docker = machine.has_binaries = True
    assert await machine.obtain() == BINARIES
    assert machine.steps == []


async def test_docker_can_be_required_and_is_not_replaced_then(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, "docker")
    machine.has_binaries = True
    with pytest.raises(ServerNotAvailableError, match=f"{SETTING} is docker, but no Docker daemon answers"):
        await machine.obtain()


async def test_an_unknown_choice_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "podman")
    with pytest.raises(ConfigurationError, match=f"{SETTING} is 'podman'; it must be one of auto, docker, binaries"):
        await machine.obtain()
