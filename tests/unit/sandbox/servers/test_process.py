"""A server's process; small shell scripts are the servers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox.servers import process
from sandbox.servers.errors import ServerFailedError
from sandbox.servers.process import Process, Ready
from tests.support.waiting import WAIT_TIMEOUT, eventually


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


def words(log: Path) -> list[str]:
    """Return the output of a server once its line is complete."""
    text = log.read_text() if log.exists() else ""
    return text.split() if text.endswith("\n") else []


async def at_once() -> bool:
    return True


async def never() -> bool:
    return False


def prints_a_line(log: Path) -> Ready:
    async def ready() -> bool:
        return bool(words(log))

    return ready


@asynccontextmanager
async def running(server: Process) -> AsyncIterator[None]:
    await server.start()
    try:
        yield
    finally:
        await server.stop()


def lives(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_start_returns_when_the_server_is_ready(log: Path) -> None:
    server = Process("it", ["sh", "-c", "echo ready; exec sleep 60"], ready=prints_a_line(log), log=log)
    async with running(server):
        assert words(log) == ["ready"]


async def test_a_server_that_ends_during_its_start_is_an_error_with_its_last_lines(log: Path) -> None:
    server = Process("it", ["sh", "-c", "echo cannot open the door >&2"], ready=never, log=log)
    with pytest.raises(ServerFailedError, match=r"it ended while starting.*\ncannot open the door"):
        await server.start()


async def test_a_server_that_is_never_ready_is_stopped(log: Path) -> None:
    command = ["sh", "-c", "echo $$; exec sleep 60"]
    server = Process("it", command, ready=never, ready_within=0.3, log=log)
    with pytest.raises(ServerFailedError, match="it was not ready after"):
        await server.start()
    assert not lives(int(words(log)[0]))


async def test_a_stopped_server_can_be_started_again(log: Path) -> None:
    server = Process("it", ["sh", "-c", "echo run; exec sleep 60"], ready=at_once, log=log)
    async with running(server):
        await eventually(lambda: words(log) == ["run"])
        await server.stop()
        await server.start()
        await eventually(lambda: words(log) == ["run", "run"])


async def test_a_server_that_hangs_is_killed_with_its_children(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_STOP_PATIENCE_SECONDS", 0.1)
    stubborn = "trap '' TERM; sleep 60 & echo $$ $!; wait"
    server = Process("it", ["sh", "-c", stubborn], ready=prints_a_line(log), log=log)
    async with running(server):
        pids = [int(word) for word in words(log)]
        assert all(lives(pid) for pid in pids)
    await eventually(lambda: not any(lives(pid) for pid in pids))


async def test_ctrl_c_at_our_terminal_does_not_reach_a_server(log: Path) -> None:
    server = Process("it", ["sh", "-c", "echo $$; exec sleep 60"], ready=prints_a_line(log), log=log)
    async with running(server):
        assert os.getsid(int(words(log)[0])) != os.getsid(0)


async def test_our_own_environment_does_not_reach_a_server(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/the/users/own")
    command = ["sh", "-c", "echo ${PGDATA:-nothing} $GIVEN; exec sleep 60"]
    server = Process("it", command, ready=prints_a_line(log), log=log, environment={"GIVEN": "given"})
    async with running(server):
        assert words(log) == ["nothing", "given"]


PARENT = """
import asyncio, pathlib, sys
from sandbox.servers.process import Process

async def main(log):
    async def ready():
        return log.exists() and log.read_text().endswith("\\n")
    await Process("it", ["sh", "-c", "echo $$; exec sleep 60"], ready=ready, log=log).start()
    print("started", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(pathlib.Path(sys.argv[1])))
"""


async def test_a_server_dies_with_its_parent_even_if_that_is_killed(log: Path) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, log, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    await asyncio.wait_for(parent.stdout.readline(), WAIT_TIMEOUT)
    server = int(words(log)[0])
    assert lives(server)
    parent.kill()
    await parent.communicate()
    await eventually(lambda: not lives(server))


async def test_a_crashed_server_can_be_started_again(log: Path) -> None:
    server = Process("it", ["sh", "-c", "echo $$; exec sleep 60"], ready=prints_a_line(log), log=log)
    async with running(server):
        crashed = int(words(log)[0])
        server.send_signal(signal.SIGKILL)
        await eventually(lambda: not lives(crashed))
        await server.start()
        await eventually(lambda: len(words(log)) == 2)
