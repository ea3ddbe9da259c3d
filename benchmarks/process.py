"""A process of the benchmark, from outside: requests and responses are JSON lines on its standard input and output.

Each part that is measured is alone in its process, as in a deployment, and its log goes to a file, as a container's
does. HTTP between the processes was rejected: it would be one more server on the event loop that is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.errors import BenchmarkError
from sandbox.servers.process import last_lines, unattended

Answer = dict[str, Any]

ROOT = Path(__file__).parents[1]
_LINE_LIMIT = 2**28
"""Bytes of one response: one with a hundred thousand messages has some thirty million."""
_STOP_TIMEOUT = 20.0


class Worker:
    """One process; it handles one request at a time."""

    def __init__(
        self, name: str, *, directory: Path, environment: Mapping[str, str], program: Sequence[str] = ()
    ) -> None:
        """`program` is its module and arguments, by default the one of that name in `benchmarks.workers`."""
        self.name = name
        self._program = program or (f"benchmarks.workers.{name}",)
        self._log = directory / f"{name}.log"
        self._environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(directory), **environment}
        self._child: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start it; it has read its settings when it responds for the first time."""
        with self._log.open("w") as log:
            self._child = await asyncio.create_subprocess_exec(
                *unattended(signal.SIGKILL),
                sys.executable,
                "-m",
                *self._program,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env=self._environment,
                limit=_LINE_LIMIT,
                start_new_session=True,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its input, which ends it, and kill it if it does not end."""
        child, self._child = self._child, None
        if child is None or child.stdin is None:
            return
        child.stdin.close()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                await child.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def ask(self, what: str, *, within: float = 120.0, **details: object) -> Answer:
        """Send a request and return the response.

        Raises:
            BenchmarkError: it failed, ended, or took longer than `within` seconds; with its last lines.
        """
        child = self._child
        if child is None or child.returncode is not None or child.stdin is None or child.stdout is None:
            raise self._failure("does not run")
        child.stdin.write(json.dumps({"what": what, **details}).encode() + b"\n")
        try:
            async with asyncio.timeout(within):
                line = await child.stdout.readline()
        except TimeoutError as error:
            raise self._failure(f"did not {what} within {within:.0f} s") from error
        if not line:
            raise self._failure("ended by itself")
        answer: Answer = json.loads(line)
        return answer

    async def cpu_seconds(self) -> float:
        """Return the processor time that it has used since it started."""
        return float((await self.ask("usage"))["cpu_seconds"])

    def _failure(self, what: str) -> BenchmarkError:
        return BenchmarkError(f"{self.name} {what}. Its last lines:\n{last_lines(self._log)}")
