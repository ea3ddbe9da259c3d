"""One node of a pair: Patroni, and the PostgreSQL that it starts, stops and promotes.

Patroni starts PostgreSQL in a separate session, so a node is the processes below Patroni and below the postmaster.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from sandbox.servers.account import Account
from sandbox.servers.network import HOST
from sandbox.servers.process import Process

SCOPE = "questbell"
"""Patroni's name of the pair, which PostgreSQL shows in its processes' titles."""
LEADER_LOST_AFTER = 20
"""Seconds, Patroni's minimum: the standby is promoted when the primary was silent for this long."""
_TIMEOUT = aiohttp.ClientTimeout(total=2)
_HAND_OVER_TIMEOUT = aiohttp.ClientTimeout(total=30)
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class PairSettings:
    """What both nodes share."""

    binaries: Path
    home: Path
    logs: Path
    account: Account | None
    user: str
    password: str
    etcd_port: int
    synchronous: bool


class PatroniNode:
    """A node that can be killed, frozen and started again."""

    def __init__(self, name: str, settings: PairSettings, *, port: int, api_port: int) -> None:
        self.name, self.port = name, port
        self.data = settings.home / name
        self._api = f"http://{HOST}:{api_port}"
        config = settings.home / f"{name}.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps(_configuration(name, settings, data=self.data, port=port, api_port=api_port)))
        if settings.account:
            settings.account.own(config)
        self._process = Process(
            f"Patroni of {name}",
            [sys.executable, "-m", "patroni", config],
            ready=lambda: self.answers("health"),
            log=settings.logs / f"{name}.log",
            account=settings.account,
            environment={"HOME": str(settings.home)},
            killed_by=signal.SIGTERM,  # it then stops PostgreSQL, which SIGKILL would leave behind
        )

    async def start(self) -> None:
        """Start Patroni, and return when its PostgreSQL runs."""
        await self._process.start()

    async def stop(self) -> None:
        """Stop both at once; the data stays."""
        self.resume()
        self._process.send_signal(signal.SIGKILL)
        await self._process.stop()
        postmaster = self._postmaster()
        for pid in postmaster:
            os.kill(pid, signal.SIGQUIT)  # SIGKILL would leave its shared memory behind
        await self._until_gone(postmaster)

    async def kill(self) -> None:
        """Kill every process, as a machine that loses its power does."""
        postmaster = self._postmaster()
        self._process.send_signal(signal.SIGKILL)
        self._signal(signal.SIGKILL)
        await self._process.stop()
        await self._until_gone(postmaster)

    def freeze(self) -> None:
        """Stop every process with SIGSTOP. Connections stay open and new ones are accepted, but nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self, *, with_patroni: bool = True) -> None:
        """Let a frozen node continue where it was. Without Patroni, PostgreSQL goes on as the primary that it was."""
        self._signal(signal.SIGCONT, with_patroni=with_patroni)

    def walreceivers(self) -> list[int]:
        """Return the processes that receive what the primary commits."""
        return [pid for pid in _descendants(self._postmaster()) if b"walreceiver" in _title(pid)]

    async def answers(self, check: str) -> bool:
        """Return whether a health check of Patroni's API succeeds: `primary`, `replica`, `synchronous`, `health`."""
        try:
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(f"{self._api}/{check}") as found:
                return found.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def hand_over(self, candidate: PatroniNode) -> None:
        """Ask this primary to let its standby take over in order. Returns when that has been accepted or done."""
        order = {"leader": self.name, "candidate": candidate.name}
        async with (
            aiohttp.ClientSession(timeout=_HAND_OVER_TIMEOUT, raise_for_status=True) as session,
            session.post(f"{self._api}/switchover", json=order),
        ):
            return

    def _postmaster(self) -> list[int]:
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return []
        return [pid] if b"postgres" in _title(pid) else []

    def _signal(self, number: signal.Signals, *, with_patroni: bool = True) -> None:
        patroni = [self._process.pid] if with_patroni and self._process.pid else []
        roots = [*patroni, *self._postmaster()]
        for pids in (roots, _descendants(roots)):  # the roots first, so that they start no more processes
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    async def _until_gone(self, pids: list[int]) -> None:
        while any(_title(pid) for pid in pids):  # noqa: ASYNC110 -- they are no children of ours: there is no event
            await asyncio.sleep(_POLL_SECONDS)


def _configuration(name: str, settings: PairSettings, *, data: Path, port: int, api_port: int) -> dict[str, Any]:
    """Return Patroni's configuration (https://patroni.readthedocs.io/en/latest/yaml_configuration.html)."""
    address, api = f"{HOST}:{port}", f"{HOST}:{api_port}"
    account = {"username": settings.user, "password": settings.password}
    dynamic = {
        "ttl": LEADER_LOST_AFTER,
        "loop_wait": 1,
        "retry_timeout": 3,
        "synchronous_mode": settings.synchronous,
        "maximum_lag_on_failover": 1 << 30,
        "postgresql": {
            "use_pg_rewind": True,
            # pg_rewind needs wal_log_hints, and full_page_writes on, to make a standby of a primary that died
            "parameters": {"fsync": "off", "wal_log_hints": "on", "max_connections": 200},
        },
    }
    return {
        "scope": SCOPE,
        "name": name,
        "restapi": {"listen": api, "connect_address": api},
        "etcd3": {"hosts": f"{HOST}:{settings.etcd_port}"},
        "bootstrap": {"dcs": dynamic, "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "no-sync"]},
        "postgresql": {
            "listen": address,
            "connect_address": address,
            "data_dir": str(data),
            "bin_dir": str(settings.binaries),
            "pgpass": str(data.with_suffix(".pgpass")),
            "authentication": {"superuser": account, "replication": account},
            "pg_hba": [f"host {database} all {HOST}/32 scram-sha-256" for database in ("all", "replication")],
            "parameters": {"unix_socket_directories": ""},
            "basebackup": [{"checkpoint": "fast"}, "no-sync"],
        },
    }


def _descendants(roots: list[int]) -> list[int]:
    """Return all processes below some, by the parents that /proc names."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found, level = [], set(roots)
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found += sorted(level)
    return found


def _title(pid: int) -> bytes:
    """Return a process's command line, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
