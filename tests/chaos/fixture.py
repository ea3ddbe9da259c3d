"""What a fault acts on: the processes of one scenario, the proxies between them and the servers, and the servers."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from sandbox.demo.workload import Workload
from sandbox.discord.gateway.shards import Shard
from sandbox.discord.server import SandboxDiscord
from sandbox.servers.directory import subdirectory
from sandbox.servers.fault_proxy import FaultProxy
from shared.errors import TransientError
from shared.settings import Timing
from tests.chaos.environment import TEMPLATE, Environment
from tests.chaos.games import Guild

TIMING = Timing(
    request_timeout=1.0,
    lease=3.0,
    nonce_window=12.0,
    settle_timeout=15.0,
    consumer_timeout=1800.0,
    publish_timeout=1.5,
    transaction_timeout=2.5,
    backoff_first=0.25,
    backoff_max=8.0,
)
"""Questbell's time-outs at about one sixth, in the same order."""
NONCE_WINDOW = 5 * TIMING.nonce_window
"""How long Discord remembers nonces at that scale."""
CONNECTED_WITHIN = 60.0
"""Seconds until all shards are connected to Discord's gateway."""
FREEZE = TIMING.settle_timeout + 3.0
"""Seconds: longer than every time-out."""


@dataclass(frozen=True)
class Topology:
    """The processes of a scenario: how many controllers, bots and shards of the bots, and more settings by the name of
    the process."""

    controllers: int = 1
    bots: int = 1
    shards: int = 1
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass
class Fixture:
    """One scenario's processes and everything they use.

    Attributes:
        name: the scenario's, and that of its database and its virtual host.
        ends: when the last reminder is due, by the clock of the event loop.
        affected: the channels and people whose reminders the fault may delay; None for everyone.
        lost_primary: a copy of the data of a primary that was lost in a fail-over.
        injections: how often the fault was injected.
        fault_ended_at: when everything was well again.
        problems: what the fault found wrong, beside what the oracle finds.
    """

    environment: Environment
    name: str
    rng: random.Random
    discord: SandboxDiscord
    guild: Guild
    database_url: str
    broker_url: str
    proxies: Mapping[str, FaultProxy]
    topology: Topology
    bots: Sequence[Workload]
    controllers: Sequence[Workload]
    ends: float = 0.0
    affected: frozenset[int] | None = None
    lost_primary: Path | None = None
    injections: int = 0
    fault_ended_at: datetime | None = None
    problems: list[str] = field(default_factory=list)

    def record_injection(self) -> None:
        """Count an injection of the fault."""
        self.injections += 1

    def record_recovery(self) -> None:
        """Note that nothing is wrong from now on; the last call counts."""
        self.fault_ended_at = datetime.now(UTC)

    @property
    def seconds_left(self) -> float:
        """Seconds until the last reminder is due."""
        return max(0.0, self.ends - asyncio.get_running_loop().time())

    @property
    def workloads(self) -> list[Workload]:
        """Every process."""
        return [*self.controllers, *self.bots]

    @property
    def shards(self) -> list[Shard]:
        """The shards of all bots together."""
        return [Shard(number, self.topology.shards) for number in range(self.topology.shards)]

    async def start_all(self) -> None:
        """Start every process, and wait until each shard is connected, of which one may identify in five seconds.

        Raises:
            TransientError: some shard is not in time.
        """
        await asyncio.gather(*(workload.process.start() for workload in self.workloads))
        gateway = self.discord.gateway
        try:
            await self.discord.wait_for(lambda: gateway.connected_shards == self.shards, timeout=CONNECTED_WITHIN)
        except TimeoutError:
            raise TransientError(f"only the shards {gateway.connected_shards} are connected") from None

    async def kill(self, workload: Workload) -> None:
        """Kill a process as kill -9 does, and wait until it is gone."""
        workload.process.send_signal(signal.SIGKILL)
        await workload.ended()
        self.record_injection()

    async def start(self, workload: Workload) -> None:
        """Start a process again; from then on nothing excuses it."""
        self.record_recovery()
        await workload.process.start()

    async def freeze(self, workload: Workload, seconds: float) -> None:
        """Stop a process for a while with SIGSTOP."""
        send_signal(workload, signal.SIGSTOP)
        self.record_injection()
        await asyncio.sleep(seconds)
        send_signal(workload, signal.SIGCONT)
        self.record_recovery()


@asynccontextmanager
async def fixture(
    environment: Environment,
    name: str,
    *,
    discord: SandboxDiscord,
    guild: Guild,
    topology: Topology,
    rng: random.Random,
) -> AsyncIterator[Fixture]:
    """Set up a scenario; its processes are not started yet."""
    directory = subdirectory(environment.directory, name)
    database_url = await environment.database_server.create_database(name, template=TEMPLATE)
    broker_url = await environment.broker.add_vhost(name)
    servers = {"discord": discord.url}
    if environment.pair is None:  # a pair has an address for each server
        servers["database"] = database_url
    if environment.broker_cluster is None:  # so has a cluster
        servers["broker"] = broker_url
    async with AsyncExitStack() as stack:
        proxies = {
            f"{kind}-{server}": await stack.enter_async_context(_proxy(url).serving())
            for kind in ("controllers", "bot")
            for server, url in servers.items()
        }
        common = {
            "QUESTBELL_NAMESPACE": name,
            "KUBECONFIG": str(environment.control_plane.kubeconfig),
            "DISCORD_TOKEN": discord.token,
            **{f"QUESTBELL_TIMING_{setting.upper()}": str(value) for setting, value in TIMING.model_dump().items()},
        }

        def workload(kind: str, number: int) -> Workload:
            settings = {
                **common,
                "QUESTBELL_DATABASE_URL": _url_through(proxies.get(f"{kind}-database"), database_url),
                "QUESTBELL_AMQP_URL": _url_through(proxies.get(f"{kind}-broker"), broker_url),
                "DISCORD_API_URL": _url_through(proxies[f"{kind}-discord"], discord.url),
                **(_shard_settings(topology, number) if kind == "bot" else {}),
                **topology.settings.get(kind, {}),
            }
            return Workload(kind, directory=subdirectory(directory, f"{kind}-{number}"), settings=settings)

        controllers = [workload("controllers", number) for number in range(topology.controllers)]
        bots = [workload("bot", number) for number in range(topology.bots)]
        running = Fixture(
            environment, name, rng, discord, guild, database_url, broker_url, proxies, topology, bots, controllers
        )
        try:
            yield running
        finally:
            for process in running.workloads:
                process.process.send_signal(signal.SIGKILL)
                await process.process.stop()
    await environment.broker.discard_vhost(name)


def send_signal(workload: Workload, number: signal.Signals) -> None:
    """Send a signal to a process; only faults do that."""
    if workload.process.pid is not None:
        os.kill(workload.process.pid, number)


def _shard_settings(topology: Topology, ordinal: int) -> Mapping[str, str]:
    """Return which shards one of the bots runs."""
    numbers = {"SHARDS": topology.shards, "PROCESSES": topology.bots, "ORDINAL": ordinal}
    return {f"QUESTBELL_BOT_{name}": str(number) for name, number in numbers.items()}


def _proxy(url: str) -> FaultProxy:
    parts = urlsplit(url)
    return FaultProxy(parts.hostname or "127.0.0.1", parts.port or 0)


def _url_through(proxy: FaultProxy | None, url: str) -> str:
    if proxy is None:
        return url
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{credentials}{at}127.0.0.1:{proxy.port}"))
