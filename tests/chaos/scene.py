"""What a fault acts on: the processes of one cell, the wires between them and the servers, and the servers."""

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
from sandbox.discord.server import SandboxDiscord
from shared.settings import Timing
from tests.chaos.ground import TEMPLATE, Ground
from tests.chaos.links import Link
from tests.chaos.sessions import Place

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
"""Questbell's time-outs on a smaller scale, about one sixth, in the same order."""
NONCE_WINDOW = 5 * TIMING.nonce_window
"""Discord's memory of nonces on that scale: "a few minutes", five times the window in which a resend is safe."""
FREEZE = TIMING.settle_timeout + 3.0
"""Seconds: longer than every time-out of ours."""


@dataclass
class Scene:
    """One cell's processes and all that they stand on."""

    ground: Ground
    dice: random.Random
    discord: SandboxDiscord
    place: Place
    database_url: str
    broker_url: str
    links: Mapping[str, Link]
    bot: Workload
    controllers: Sequence[Workload]
    ends: float
    """When the load's last reminder is due, by the clock of the event loop."""
    afflicted: frozenset[int] = frozenset()
    """The channels and people that the fault strikes and nobody else; empty when it strikes everyone."""
    strikes: int = 0
    healed_at: datetime | None = None
    notes: list[str] = field(default_factory=list)

    def struck(self) -> None:
        """Count a strike of the fault."""
        self.strikes += 1

    def healed(self) -> None:
        """Say that from now on nothing is wrong any more; the last word counts."""
        self.healed_at = datetime.now(UTC)

    @property
    def seconds_left(self) -> float:
        """Return how long reminders will go on to fall due."""
        return max(0.0, self.ends - asyncio.get_running_loop().time())

    @property
    def workloads(self) -> list[Workload]:
        """Return every process."""
        return [*self.controllers, self.bot]

    async def kill(self, workload: Workload) -> None:
        """Kill a process as kill -9 does, and wait until it is gone."""
        workload.process.send_signal(signal.SIGKILL)
        await workload.ended()
        self.struck()

    async def start(self, workload: Workload) -> None:
        """Start it again; from then on it has no excuse."""
        self.healed()
        await workload.process.start()

    async def freeze(self, workload: Workload, seconds: float) -> None:
        """Stop a process in its tracks for a while."""
        signalled(workload, signal.SIGSTOP)
        self.struck()
        await asyncio.sleep(seconds)
        signalled(workload, signal.SIGCONT)
        self.healed()


@dataclass(frozen=True)
class Casting:
    """What a cell wants to be different about its processes."""

    controllers: int = 1
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """More settings, by the name of the process."""


@asynccontextmanager
async def scene(
    ground: Ground, name: str, *, discord: SandboxDiscord, place: Place, casting: Casting, dice: random.Random
) -> AsyncIterator[Scene]:
    """Set up a cell; its processes are not started yet."""
    directory = ground.directory / name
    directory.mkdir(mode=0o711)
    database_url = await ground.postgres.create_database(name, template=TEMPLATE)
    broker_url = await ground.rabbitmq.add_vhost(name)
    async with AsyncExitStack() as stack:
        links: dict[str, Link] = {}
        for who in ("controllers", "bot"):
            for what, url in (("database", database_url), ("broker", broker_url), ("discord", discord.url)):
                links[f"{who}-{what}"] = await stack.enter_async_context(_link(url).serving())
        common = {"QUESTBELL_NAMESPACE": name, "KUBECONFIG": str(ground.control_plane.kubeconfig), **_timing()}

        def workload(kind: str, label: str) -> Workload:
            settings = {
                **common,
                "QUESTBELL_DATABASE_URL": _through(database_url, links[f"{kind}-database"]),
                "QUESTBELL_AMQP_URL": _through(broker_url, links[f"{kind}-broker"]),
                "DISCORD_API_URL": _through(discord.url, links[f"{kind}-discord"]),
                "DISCORD_TOKEN": discord.token,
                **casting.environment.get(kind, {}),
            }
            return Workload(kind, directory=_made(directory / label), settings=settings)

        controllers = [workload("controllers", f"controllers-{number}") for number in range(casting.controllers)]
        bot = workload("bot", "bot")
        made = Scene(ground, dice, discord, place, database_url, broker_url, links, bot, controllers, 0.0)
        try:
            yield made
        finally:
            for each in made.workloads:
                each.process.send_signal(signal.SIGKILL)
                await each.process.stop()
    await ground.rabbitmq.discard_vhost(name)


def signalled(workload: Workload, number: signal.Signals) -> None:
    """Send a signal to a process, which nobody but a fault ever does."""
    if workload.process.pid is not None:
        os.kill(workload.process.pid, number)


def _timing() -> dict[str, str]:
    return {f"QUESTBELL_TIMING_{name.upper()}": str(value) for name, value in TIMING.model_dump().items()}


def _link(url: str) -> Link:
    parts = urlsplit(url)
    return Link(parts.hostname or "127.0.0.1", parts.port or 0)


def _through(url: str, link: Link) -> str:
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{credentials}{at}127.0.0.1:{link.port}"))


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o711)
    return directory
