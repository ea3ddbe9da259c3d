"""Helm and promtool: where they are found, and how they are made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.servers import apt, go_build, tools
from sandbox.servers.errors import ServerFailedError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no tool on PATH."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "cache"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tools that were made; nothing is built or downloaded."""
    names: list[str] = []

    async def install(package: str, directory: Path, **_options: object) -> None:
        names.append(tools.HELM)
        executable(directory / tools.HELM)

    async def unpack(package: str, directory: Path) -> Path:
        names.append(tools.PROMTOOL)
        executable(directory / "usr/bin/promtool")
        return directory

    monkeypatch.setattr(go_build, "install", install)
    monkeypatch.setattr(apt, "unpack", unpack)
    return names


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


async def test_missing_tools_are_made_once(made: list[str], cache: Path) -> None:
    await tools.obtain(report=print)
    await tools.obtain(report=print)
    assert made == [tools.HELM, tools.PROMTOOL]
    found = [tools.find(tool) for tool in (tools.HELM, tools.PROMTOOL)]
    assert all(path is not None and path.is_relative_to(cache) for path in found)


async def test_a_tool_on_path_is_used_and_not_made(made: list[str], tmp_path: Path) -> None:
    helm = executable(tmp_path / "bin" / tools.HELM)
    await tools.obtain(report=print)
    assert made == [tools.PROMTOOL]
    assert tools.find(tools.HELM) == helm


async def test_a_tool_that_cannot_be_made_is_reported_and_the_other_is_made(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object, **_options: object) -> None:
        raise ServerFailedError("no network")

    monkeypatch.setattr(go_build, "install", fail)
    reported: list[str] = []
    await tools.obtain(report=reported.append)
    assert "tests that need helm are skipped: no network" in reported
    assert tools.find(tools.HELM) is None
    assert tools.find(tools.PROMTOOL) is not None
