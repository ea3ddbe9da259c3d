"""A cluster of three RabbitMQ nodes, in which a quorum queue has a member on each node.

Each node reaches the others through proxies, so that it can be cut off from them while its clients still reach it. The
nodes run on this machine: a container that Docker takes off its network would be lost to its clients too.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import aiohttp

from sandbox.servers.erlang_names import NameServer
from sandbox.servers.fault_proxy import FaultProxy
from sandbox.servers.lifecycle import Report
from sandbox.servers.management_api import ManagementApi
from sandbox.servers.network import HOST, free_ports
from sandbox.servers.process import until_ready
from sandbox.servers.rabbitmq import WANTED, Address, RabbitMQ, as_process
from sandbox.servers.rabbitmq_node import Membership
from sandbox.servers.source import obtain_on_this_machine

NAMES = ("rabbit-1", "rabbit-2", "rabbit-3")
NODE_LOST_AFTER = 10
"""Seconds after which a node gives up a silent one; RabbitMQ's default is 60."""
_SETTINGS = {
    "cluster_partition_handling": "pause_minority",  # as RabbitMQ's operator sets it
    "net_ticktime": str(NODE_LOST_AFTER),
}
_WHOLE_WITHIN = 60.0


@dataclass(frozen=True)
class ClusterNode:
    """One node."""

    name: str
    address: Address
    broker: RabbitMQ
    links: Sequence[FaultProxy]
    """Its connections with the other nodes, in both directions."""

    def cut_off(self) -> None:
        """Let nothing through between it and the other nodes, as a network without a route."""
        for link in self.links:
            link.silence()

    def reconnect(self) -> None:
        """Let the nodes reach one another again."""
        for link in self.links:
            link.restore()


class RabbitCluster:
    """A running cluster."""

    def __init__(self, nodes: Sequence[ClusterNode]) -> None:
        self.nodes = nodes
        first = nodes[0].address
        self._api = ManagementApi(first.management_port, user=first.user, password=first.password)

    async def add_vhost(self, name: str) -> str:
        """Create a virtual host; return its URL, which names every node."""
        await self.nodes[0].broker.add_vhost(name)
        return ",".join(node.address.url(name) for node in self.nodes)

    async def discard_vhost(self, name: str) -> None:
        """Give up a virtual host."""
        await self.nodes[0].broker.discard_vhost(name)

    async def leader(self, queue: str, *, vhost: str) -> ClusterNode:
        """Return the node of a queue's leader."""
        leader = (await self._api.members(vhost))[queue].leader
        return next(node for node in self.nodes if leader.startswith(f"{node.name}@"))

    async def until_whole(self, vhost: str) -> None:
        """Wait until each queue has a running member on every node."""

        async def is_whole() -> bool:
            try:
                queues = (await self._api.members(vhost)).values()
            except (aiohttp.ClientError, TimeoutError):
                return False
            return all(len(queue.online) == len(self.nodes) for queue in queues)

        await until_ready("the cluster", is_whole, within=_WHOLE_WITHIN, running=lambda: True, last_words=lambda: "")


@asynccontextmanager
async def rabbitmq_cluster(directory: Path, *, report: Report) -> AsyncIterator[RabbitCluster]:
    """Run a cluster for a block; its logs are in `directory`.

    Raises:
        ServerNotAvailableError: RabbitMQ is missing, and cannot be installed.
        ServerFailedError: it did not start.
    """
    binaries = await obtain_on_this_machine(WANTED, report=report)
    report("starting a cluster of RabbitMQ nodes")
    password, cookie = secrets.token_urlsafe(), secrets.token_hex()
    async with AsyncExitStack() as stack:
        ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
        links = {
            (name, peer): await stack.enter_async_context(FaultProxy(HOST, ports[peer]).serving())
            for name, peer in permutations(NAMES, 2)
        }

        first, *others = NAMES

        async def start(name: str) -> ClusterNode:
            port, management_port, names_port = free_ports(3)
            address = Address(port=port, management_port=management_port, password=password)
            names = NameServer(names_port, {peer: link.port for (own, peer), link in links.items() if own == name})
            await stack.enter_async_context(names.serving())
            known = tuple(dict.fromkeys((first, name)))  # the first node has nobody to wait for
            membership = Membership(name, names_port, ports[name], cookie, known, _SETTINGS)
            running = as_process(address, binaries, directory, membership=membership)
            broker = RabbitMQ(address.url(), await stack.enter_async_context(running), address=address)
            return ClusterNode(name, address, broker, [link for ends, link in links.items() if name in ends])

        nodes = [await start(first)]  # the others join it
        async with asyncio.TaskGroup() as tasks:
            starts = [tasks.create_task(start(name)) for name in others]
        yield RabbitCluster([*nodes, *(start.result() for start in starts)])
