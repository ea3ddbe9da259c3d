from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sandbox.servers.cache import arriving_in, cache_directory, locked
from tests.support.waiting import WAIT_TIMEOUT


def names_in(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


def test_the_users_cache_directory_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "questbell"


async def test_files_appear_together_at_the_end(tmp_path: Path) -> None:
    async with arriving_in(tmp_path / "version") as work:
        (work / "program").write_text("made")
        assert not (tmp_path / "version").exists()
    assert names_in(tmp_path) == ["version"]
    assert names_in(tmp_path / "version") == ["program"]


async def test_a_failure_leaves_no_files(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full"):
        async with arriving_in(tmp_path / "version") as work:
            (work / "program").write_text("half")
            raise OSError("disk full")
    assert names_in(tmp_path) == []


async def test_one_process_builds_while_the_others_wait(tmp_path: Path) -> None:
    order: list[str] = []
    waits = asyncio.Event()

    async def second() -> None:
        async with locked(tmp_path, on_wait=waits.set):
            order.append("second")

    async with locked(tmp_path, on_wait=pytest.fail), asyncio.timeout(WAIT_TIMEOUT):
        waiting = asyncio.create_task(second())
        await waits.wait()
        order.append("first")
    await asyncio.wait_for(waiting, timeout=WAIT_TIMEOUT)
    assert order == ["first", "second"]
