"""The account and the data directory of a server that is started by root.

PostgreSQL refuses to run as root, and RabbitMQ does not need to. Each runs under the system account of its package.
Such an account cannot enter the directories that pytest or `mkdtemp` create for root (mode 0700). Opening them was
rejected, since it would expose their other files; the data is in a private directory of the system's temporary one.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int
    reads_everything: bool = False
    """Whether it may enter the directories of others, for a program in root's home."""

    def setpriv_options(self) -> list[str]:
        """Return the options with which setpriv(1) runs a command as this account."""
        capability = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"] if self.reads_everything else []
        return [f"--reuid={self.uid}", f"--regid={self.gid}", "--init-groups", *capability]

    def own(self, *paths: Path) -> None:
        """Make this account the owner of files."""
        for path in paths:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, directory: Path) -> bool:
        """Return whether the account can enter a directory."""
        directory = directory.resolve()
        return all(self._may_search(part.stat()) for part in (directory, *directory.parents))

    def _may_search(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def server_account(name: str) -> Account | None:
    """Return the account `name`, else `nobody`, for root; None otherwise: the server then runs as this process does."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        entry = pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


@asynccontextmanager
async def private_home(directory: Path, name: str, *, account: Account | None) -> AsyncIterator[Path]:
    """Create a directory for a server's data that only its account can read, and remove it at the end.

    It is in `directory` if the account can enter that, else in the system's temporary directory.
    """
    reachable = account is None or account.may_enter(directory)
    home = Path(tempfile.mkdtemp(prefix=f"questbell-{name}-", dir=directory if reachable else None))
    if account is not None:
        account.own(home)
    try:
        yield home
    finally:
        await asyncio.to_thread(shutil.rmtree, home)
