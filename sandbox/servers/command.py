"""Runs commands that end by themselves: initdb, apt-get, go build.

The output is passed on line by line to show progress, and its last lines become the text of an error.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from sandbox.servers.errors import ServerFailedError

T = TypeVar("T")

_KEPT_LINES = 15


async def run(
    *command: str | Path,
    within: float,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Run a command and return its standard output; standard error goes to `on_line`, line by line.

    `environment` is the whole environment, by default that of this process. `within` is in seconds. A command that is
    cancelled or overdue is killed with its children.

    Raises:
        ServerFailedError: it failed, is missing, or took too long; the message ends with its last lines.
    """
    name = Path(command[0]).name
    try:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=directory,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise ServerFailedError(f"{name} could not be run: {error.strerror}") from error
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        async with asyncio.timeout(within):
            output, _ = await asyncio.gather(_read(child), _follow(child, last, on_line))
            code = await child.wait()
    except TimeoutError:
        raise ServerFailedError(f"{name} took more than {within:.0f} s:\n" + "\n".join(last)) from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
    if code != 0:
        raise ServerFailedError(f"{name} failed (exit code {code}):\n" + "\n".join(last or [output.strip()]))
    return output


async def unbroken(work: Awaitable[T]) -> T:
    """Await `work` to its end even if cancelled, and then be cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _read(child: asyncio.subprocess.Process) -> str:
    assert child.stdout is not None  # noqa: S101 -- narrows the type: it was opened as a pipe
    return (await child.stdout.read()).decode(errors="replace")


async def _follow(child: asyncio.subprocess.Process, last: deque[str], on_line: Callable[[str], None] | None) -> None:
    assert child.stderr is not None  # noqa: S101 -- narrows the type: it was opened as a pipe
    async for raw in child.stderr:
        line = raw.decode(errors="replace").rstrip()
        last.append(line)
        if on_line:
            on_line(line)
