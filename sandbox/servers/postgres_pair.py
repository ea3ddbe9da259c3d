"""A primary and a streaming standby that Patroni manages over etcd, as most PostgreSQL with fail-over run.

Patroni is a Python package of the development tools. It needs PostgreSQL's programs on this machine, so Docker's image
does not serve here.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from sandbox.servers.account import Account, private_home, server_account
from sandbox.servers.command import run
from sandbox.servers.control_plane_binaries import obtain_binaries
from sandbox.servers.etcd import etcd_process
from sandbox.servers.lifecycle import Report
from sandbox.servers.network import HOST, free_port, free_ports
from sandbox.servers.patroni_node import PairSettings, PatroniNode
from sandbox.servers.postgres import NAME, WANTED, answers, create_database, postgres_process
from sandbox.servers.process import Ready, until_ready
from sandbox.servers.source import obtain_on_this_machine

_READY_WITHIN = 60.0
_COPY_WITHIN = 60.0


class PostgresPair:
    """A running pair. Its user may create databases."""

    def __init__(self, nodes: tuple[PatroniNode, PatroniNode], settings: PairSettings) -> None:
        self._nodes = nodes
        self._settings = settings

    @property
    def url(self) -> str:
        """The URL of both nodes, which leads to the primary."""
        first, second = self._nodes
        return f"{self._url_of(first.port, f',{HOST}:{second.port}')}?target_session_attrs=read-write"

    def _url_of(self, port: int, others: str = "") -> str:
        return f"postgresql://{NAME}:{self._settings.password}@{HOST}:{port}{others}/{NAME}"

    @property
    def is_synchronous(self) -> bool:
        """Whether the standby has each commit before its client."""
        return self._settings.synchronous

    async def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if given, which must have no connections; return its URL."""
        url = await create_database(self.url, name, template=template)
        await self._wait(lambda: self._everywhere(name))
        return url

    async def _everywhere(self, name: str) -> bool:
        """Return whether both nodes have a database, since a client may ask the standby first."""
        return all([await answers(self._url_of(node.port), database=name) for node in self._nodes])

    async def roles(self) -> tuple[PatroniNode, PatroniNode]:
        """Return the primary and the standby, when the standby receives all commits."""
        role = "synchronous" if self._settings.synchronous else "replica?lag=0"
        found: list[PatroniNode] = []

        async def is_redundant() -> bool:
            found[:] = [node for node in self._nodes if await node.answers("primary")]
            standbys = [node for node in self._nodes if node not in found and await node.answers(role)]
            found.extend(standbys if all(node.walreceivers() for node in standbys) else [])
            return len(found) == len(self._nodes)

        await self._wait(is_redundant)
        return found[0], found[1]

    async def until_promoted(self, node: PatroniNode) -> None:
        """Wait until a node is the primary."""
        await self._wait(lambda: node.answers("primary"))

    @asynccontextmanager
    async def lagging(self, standby: PatroniNode) -> AsyncIterator[None]:
        """Let a standby receive nothing in a block. What was committed in it is not received after the block either."""
        receivers = standby.walreceivers()
        for pid in receivers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in receivers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)  # it ends before it reads what is in its socket
                    os.kill(pid, signal.SIGCONT)

    async def copy_data(self, node: PatroniNode) -> Path:
        """Copy the data of a node that is not running: its commits, whatever Patroni does with it later."""
        copy = node.data.with_name(f"{node.name}-copy")
        await run("cp", "--archive", node.data, copy, within=_COPY_WITHIN)
        (copy / "postmaster.pid").unlink(missing_ok=True)
        return copy

    @asynccontextmanager
    async def serving(self, copy: Path) -> AsyncIterator[str]:
        """Run a PostgreSQL without Patroni on copied data for a block; its URL is returned."""
        url, settings = self._url_of(free_port()), self._settings
        log = settings.logs / f"{copy.name}.log"
        server = postgres_process(url, binaries=settings.binaries, data=copy, log=log, account=settings.account)
        try:
            await server.start()
            yield url
        finally:
            await server.stop()

    async def _wait(self, ready: Ready) -> None:
        await until_ready("the pair", ready, within=_READY_WITHIN, running=lambda: True, last_words=lambda: "")


@asynccontextmanager
async def postgres_pair(directory: Path, *, synchronous: bool, report: Report) -> AsyncIterator[PostgresPair]:
    """Run a pair for a block; its logs are in `directory`. A synchronous standby has each commit before its client.

    Raises:
        ServerNotAvailableError: PostgreSQL or etcd is missing, and cannot be installed.
        ServerFailedError: it did not start.
    """
    binaries = await obtain_on_this_machine(WANTED, report=report)
    etcd = (await obtain_binaries(report=report)).etcd
    report("starting a pair of PostgreSQL servers")
    account = _account()
    etcd_port, *ports = free_ports(5)
    async with AsyncExitStack() as stack:
        keys = await stack.enter_async_context(private_home(directory, "etcd", account=None))
        home = await stack.enter_async_context(private_home(directory, "pair", account=account))
        store = etcd_process(etcd, keys / "data", port=etcd_port, log=directory / "etcd.log")
        stack.push_async_callback(store.stop)
        await store.start()
        settings = PairSettings(
            binaries=binaries,
            home=home,
            logs=directory,
            account=account,
            user=NAME,
            password=secrets.token_urlsafe(),
            etcd_port=etcd_port,
            synchronous=synchronous,
        )
        nodes = (
            PatroniNode("first", settings, port=ports[0], api_port=ports[1]),
            PatroniNode("second", settings, port=ports[2], api_port=ports[3]),
        )
        pair = PostgresPair(nodes, settings)
        for node in nodes:
            stack.push_async_callback(node.stop)
        await asyncio.gather(*(node.start() for node in nodes))
        await pair.roles()
        await pair.create_database(NAME)
        yield pair


def _account() -> Account | None:
    """Return PostgreSQL's account. Patroni runs under it too, also where it may not enter the home of this Python."""
    account = server_account("postgres")
    if account is None or all(account.may_enter(Path(prefix)) for prefix in (sys.prefix, sys.base_prefix)):
        return account
    return replace(account, reads_everything=True)
