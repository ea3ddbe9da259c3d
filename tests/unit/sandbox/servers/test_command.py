from __future__ import annotations

import asyncio

import pytest

from sandbox.servers.command import run, unbroken
from sandbox.servers.errors import ServerFailedError


async def test_a_command_returns_its_output_and_reports_progress() -> None:
    progress: list[str] = []
    output = await run("sh", "-c", "echo one >&2; echo two >&2; echo done", within=10, on_line=progress.append)
    assert (output, progress) == ("done\n", ["one", "two"])


async def test_a_failed_command_is_an_error_with_its_last_lines() -> None:
    with pytest.raises(ServerFailedError, match=r"sh failed \(exit code 3\):\nno luck"):
        await run("sh", "-c", "echo no luck >&2; exit 3", within=10)


async def test_an_overdue_command_is_killed_with_its_children() -> None:
    with pytest.raises(ServerFailedError, match="sh took more than 0 s:\nworking"):
        await run("sh", "-c", "echo working >&2; sleep 600 & wait", within=0.2)


async def test_a_missing_program_is_named() -> None:
    with pytest.raises(ServerFailedError, match="no-such-program could not be run: No such file"):
        await run("no-such-program", within=1)


async def test_unbroken_work_finishes_before_it_is_cancelled() -> None:
    done = asyncio.Event()
    let_go = asyncio.Event()

    async def work() -> None:
        await let_go.wait()
        done.set()

    task = asyncio.create_task(unbroken(work()))
    await asyncio.sleep(0)
    task.cancel()
    let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()
