"""A private RabbitMQ, as a node on this machine or a container.

Virtual hosts and queue figures use the management API: a call takes milliseconds, where rabbitmqctl starts a virtual
machine for a second, and it is the same in a container.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from sandbox.servers.account import private_home, server_account
from sandbox.servers.containers import Container
from sandbox.servers.lifecycle import Foreign, Report, Wipeable
from sandbox.servers.management_api import ManagementApi, QueueFigures
from sandbox.servers.network import HOST, free_ports
from sandbox.servers.rabbitmq_node import (
    ERLANG_SETTINGS,
    Membership,
    RabbitNode,
    find_binaries,
    write_configuration,
)
from sandbox.servers.source import Wanted, obtain

_SETTING = "QUESTBELL_AMQP_URL"
_IMAGE = "rabbitmq:4-management"
_NAME = "questbell"
_ANSWER_SECONDS = 5.0
_AMQP_0_9_1 = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME = b"\x01"
_SETTLE_SECONDS = 10.0
"""Deleting a queue while its at-least-once dead-lettering starts ends the dead-lettering of the whole broker, and no
such queue can be declared until it is restarted (https://github.com/rabbitmq/rabbitmq-server/issues/16652). Nothing is
deleted that was in use, or recovered by a start, less than this ago."""

WANTED = Wanted("RabbitMQ", setting=_SETTING, image=_IMAGE, package="rabbitmq-server", find=find_binaries)
"""For `install_all`."""


@dataclass(frozen=True)
class Address:
    """The address and the credentials of a private broker."""

    port: int
    management_port: int
    password: str
    user: str = _NAME

    def url(self, vhost: str = "/") -> str:
        """Return the AMQP URL of a virtual host."""
        path = "" if vhost == "/" else quote(vhost, safe="")
        return f"amqp://{self.user}:{self.password}@{HOST}:{self.port}/{path}"


class RabbitMQ:
    """A running RabbitMQ. `url` is that of its default virtual host."""

    def __init__(self, url: str, server: Wipeable, *, address: Address | None) -> None:
        """`address` is None for a broker named by a setting: its management API is unknown."""
        self.url = url
        self._server = server
        self._address = address
        self._vhosts: set[str] = set()
        self._discarded: dict[str, float] = {}  # since when

    async def add_vhost(self, name: str) -> str:
        """Create a virtual host; return its URL."""
        address = self._private("add a virtual host to")
        await self._api(address).put_vhost(name)
        self._vhosts.add(name)
        return address.url(name)

    async def discard_vhost(self, name: str) -> None:
        """Give up a virtual host; a later call deletes it, once that is safe."""
        api = self._api(self._private("delete a virtual host of"))
        self._vhosts.discard(name)
        settled = [vhost for vhost, since in self._discarded.items() if time.monotonic() - since > _SETTLE_SECONDS]
        self._discarded[name] = time.monotonic()
        for vhost in settled:
            del self._discarded[vhost]
            await api.delete_vhost(vhost)

    @asynccontextmanager
    async def user(self, vhost: str, permissions: Mapping[str, str]) -> AsyncIterator[str]:
        """Create a user with permissions in a virtual host for a block; yield its URL."""
        address = self._private("add a user to")
        user = replace(address, user=f"user-{secrets.token_hex(6)}", password=secrets.token_urlsafe())
        await self._api(address).put_user(user.user, user.password, vhost=vhost, permissions=permissions)
        try:
            yield user.url(vhost)
        finally:
            await self._api(address).delete_user(user.user)

    async def set_policy(self, name: str, *, vhost: str, pattern: str, max_length: int) -> None:
        """Limit the length of the queues whose names match."""
        await self._api(self._private("set a policy on")).put_policy(
            name, vhost=vhost, pattern=pattern, max_length=max_length
        )

    async def list_queues(self, vhost: str = "/") -> dict[str, QueueFigures]:
        """Return the queues of a virtual host by name; figures are at most a quarter of a second old.

        For a moment after a start, queues that are still recovering look empty.
        """
        return await self._api(self._private("list the queues of")).queues(vhost)

    async def stop(self) -> None:
        """Stop the broker; clients lose their connections, durable data stays."""
        await self._server.stop()

    async def start(self) -> None:
        """Start it again, with its data and at the same address."""
        await self._server.start()
        self._discarded = dict.fromkeys(self._discarded, time.monotonic())

    async def kill(self) -> None:
        """Kill the broker, as in a crash; `start` may follow."""
        await self._server.kill()

    async def restart(self) -> None:
        """Stop and start it."""
        await self.stop()
        await self.start()

    async def wipe(self) -> None:
        """Lose every exchange, queue and message, as with a new disk; the URLs stay valid."""
        await self._server.wipe()
        self._discarded.clear()
        for name in self._vhosts:
            await self._api(self._private("wipe")).put_vhost(name)

    def _private(self, wish: str) -> Address:
        if self._address is None:
            Foreign("RabbitMQ", setting=_SETTING).refuse(wish)
        return self._address

    @staticmethod
    def _api(address: Address) -> ManagementApi:
        return ManagementApi(address.management_port, user=address.user, password=address.password)


@asynccontextmanager
async def rabbitmq(directory: Path, *, report: Report) -> AsyncIterator[RabbitMQ]:
    """Run a RabbitMQ for a block; its log is in `directory`.

    Raises:
        ServerNotAvailableError: none is installed, and none can be.
        ServerFailedError: it did not start.
    """
    given = os.environ.get(_SETTING)
    if given:
        yield RabbitMQ(given, Foreign("RabbitMQ", setting=_SETTING), address=None)
        return
    binaries = await obtain(WANTED, report=report)
    report("starting RabbitMQ")
    port, management_port = free_ports(2)
    address = Address(port=port, management_port=management_port, password=secrets.token_urlsafe())
    run_it = _in_docker(address) if binaries is None else as_process(address, binaries, directory)
    async with run_it as server:
        yield RabbitMQ(address.url(), server, address=address)


@asynccontextmanager
async def as_process(
    address: Address, binaries: Path, directory: Path, *, membership: Membership | None = None
) -> AsyncIterator[RabbitNode]:
    """Run a node for a block; its log is in `directory`."""
    name, account = membership.name if membership else "rabbitmq", server_account("rabbitmq")
    async with private_home(directory, name, account=account) as home:
        write_configuration(
            home,
            port=address.port,
            management_port=address.management_port,
            user=address.user,
            password=address.password,
            account=account,
            membership=membership,
        )
        node = RabbitNode(
            binaries,
            home,
            ready=lambda: _answers(address),
            log=directory / f"{name}.log",
            account=account,
            membership=membership,
        )
        try:
            await node.start()
            yield node
        finally:
            await node.stop()


@asynccontextmanager
async def _in_docker(address: Address) -> AsyncIterator[Wipeable]:
    server = Container(
        "RabbitMQ",
        _IMAGE,
        ready=lambda: _answers(address),
        ports={5672: address.port, 15672: address.management_port},
        environment={
            "RABBITMQ_DEFAULT_USER": address.user,
            "RABBITMQ_DEFAULT_PASS": address.password,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_SETTINGS,
        },
    )
    try:
        await server.start()
        yield server
    finally:
        await server.remove()


async def _answers(address: Address) -> bool:
    """Return whether it serves AMQP and its management API, which start in any order.

    This exchanges the first two AMQP frames: aio-pika would log an error for every attempt, and a port mapped by Docker
    accepts connections before the broker does.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, address.port)
            writer.write(_AMQP_0_9_1)
            greeting = await reader.read(1)
            writer.close()
    except (OSError, TimeoutError):
        return False
    api = ManagementApi(address.management_port, user=address.user, password=address.password)
    return greeting == _METHOD_FRAME and await api.answers()
