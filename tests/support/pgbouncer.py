"""A private PgBouncer in front of a database, unpacked from the distribution's packages."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from sandbox.servers import apt
from sandbox.servers.account import private_home, server_account
from sandbox.servers.errors import ServerFailedError
from sandbox.servers.network import HOST, free_port
from sandbox.servers.process import Process

PACKAGES = ("pgbouncer", "libc-ares2")


async def obtain(directory: Path) -> Path:
    """Unpack PgBouncer; without packages, skip the test, or fail it in CI."""
    try:
        for package in PACKAGES:
            await apt.unpack(package, directory)
    except (ServerFailedError, FileNotFoundError) as error:
        missing = f"PgBouncer cannot be unpacked: {error}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return directory


@asynccontextmanager
async def pgbouncer(files: Path, directory: Path, *, url: str, mode: str, clients: int = 100) -> AsyncIterator[str]:
    """Run a pooler in a mode for a number of clients for a block, and yield the URL of `url` through it."""
    parts, port, account = urlsplit(url), free_port(), server_account("nobody")
    async with private_home(directory, f"pgbouncer-{mode}", account=account) as home:
        settings = home / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={parts.hostname} port={parts.port}"
            f" user={parts.username} password={unquote(parts.password or '')}\n"
            f"[pgbouncer]\nlisten_addr = {HOST}\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {mode}\nmax_client_conn = {clients}\n"
        )
        settings.chmod(0o644)

        async def ready() -> bool:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                return False
            writer.close()
            return True

        server = Process(
            "PgBouncer",
            [files / "usr/sbin/pgbouncer", settings],
            ready=ready,
            log=directory / f"pgbouncer-{mode}.log",
            account=account,
            environment={"LD_LIBRARY_PATH": str(files / "usr/lib" / f"{platform.machine()}-linux-gnu")},
        )
        await server.start()
        try:
            yield f"postgresql://{parts.username}@{HOST}:{port}{parts.path}"
        finally:
            await server.stop()
