"""Runs etcd as a process. It does not wait for the disk and needs no authentication; it listens on 127.0.0.1."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from sandbox.servers.network import HOST
from sandbox.servers.process import Process

_TIMEOUT = aiohttp.ClientTimeout(total=5)


def etcd_process(binary: Path, data: Path, *, port: int, log: Path) -> Process:
    """Return an etcd that keeps its keys in `data` and serves clients on `port`."""
    url = f"http://{HOST}:{port}"
    options = [
        f"--data-dir={data}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls=http://{HOST}:0",
        "--log-level=warn",
    ]
    return Process("etcd", [binary, *options], ready=lambda: _answers(f"{url}/health"), log=log)


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url) as response:
            return response.ok
    except (aiohttp.ClientError, TimeoutError):
        return False
