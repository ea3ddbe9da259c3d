"""A server process that is never left behind.

Each runs in a separate terminal session, so Ctrl-C reaches only this process, and clients stop before their servers.
The kernel ends it when this process dies, even by SIGKILL (`setpriv --pdeathsig`, which also drops root's privileges).
A guard process with a pipe would do the same without setpriv, but could be left behind itself. Servers get a minimal
environment: a PGDATA or RABBITMQ_NODENAME of the user must not reach them.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sandbox.servers.account import Account
from sandbox.servers.errors import ServerFailedError

Ready = Callable[[], Awaitable[bool]]
"""Returns whether a server is ready. It returns soon, and does not raise while the server starts."""

_LOG_LINES = 15
_STOP_PATIENCE_SECONDS = 15.0
_POLL_SECONDS = 0.05


class Process:
    """One server process; `start` and `stop` may alternate."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        ready: Ready,
        log: Path,
        ready_within: float = 60.0,
        account: Account | None = None,
        environment: Mapping[str, str] | None = None,
        stopped_by: signal.Signals = signal.SIGTERM,
        killed_by: signal.Signals = signal.SIGKILL,
    ) -> None:
        """`ready_within` is in seconds; `killed_by` is the signal from the kernel when this process dies."""
        self.name = name
        self._command = [*unattended(killed_by, account), *map(str, command)]
        self._ready = ready
        self._ready_within = ready_within
        self._log = log
        self._environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"} | dict(environment or {})
        self._stopped_by = stopped_by
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start and wait until it is ready.

        Raises:
            ServerFailedError: it ended, or was not ready in time; then it was stopped.
        """
        await self.stop()
        self._child = await self._spawn()
        try:
            await until_ready(
                self.name,
                self._ready,
                within=self._ready_within,
                running=self._runs,
                last_words=lambda: last_lines(self._log),
            )
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop it and its children and wait; kill those that do not end in time."""
        child, self._child = self._child, None
        if child is None:
            return
        try:
            with suppress(ProcessLookupError):
                child.send_signal(self._stopped_by)
            with suppress(TimeoutError):  # what does not end in time is killed
                async with asyncio.timeout(_STOP_PATIENCE_SECONDS):
                    await child.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()

    async def kill(self) -> None:
        """Kill it and its children and wait, as in a crash; `start` may follow."""
        self.send_signal(signal.SIGKILL)
        await self.ended()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it and its children."""
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)

    async def ended(self) -> None:
        """Return when it has ended, at once if it is not running."""
        if self._child is not None:
            await self._child.wait()

    @property
    def pid(self) -> int | None:
        """The process id, None if it is not running."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    def _runs(self) -> bool:
        return self._child is not None and self._child.returncode is None

    async def _spawn(self) -> asyncio.subprocess.Process:
        log = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=self._environment,
                start_new_session=True,
            )
        finally:
            os.close(log)


def unattended(killed_by: signal.Signals, account: Account | None = None) -> list[str]:
    """Return a prefix for a command: it runs as `account` and gets `killed_by` when this process dies."""
    change = account.setpriv_options() if account else []
    return ["setpriv", "--pdeathsig", killed_by.name.removeprefix("SIG"), *change, "--"]


async def until_ready(
    name: str, ready: Ready, *, within: float, running: Callable[[], bool], last_words: Callable[[], str]
) -> None:
    """Wait until `ready` returns True.

    Raises:
        ServerFailedError: it stopped running, or `within` seconds passed.
    """
    try:
        async with asyncio.timeout(within):
            while not await ready():
                if not running():
                    raise ServerFailedError(f"{name} ended while starting. Its last words:\n{last_words()}")
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        problem = f"{name} was not ready after {within:.0f} s. Its last words:\n{last_words()}"
        raise ServerFailedError(problem) from None


def last_lines(log: Path) -> str:
    """Return the last lines of a log file, for an error message."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-_LOG_LINES:])
