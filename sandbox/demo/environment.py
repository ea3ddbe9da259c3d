"""Sets the stage: servers, schema, custom resources, Discord, and the two workloads as processes of their own.

Everything lives in one temporary directory and on free ports of the loopback interface; leaving the block ends the
workloads first, then what they stand on, and removes the directory.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from migrations import command
from sandbox.demo.workload import Workload
from sandbox.discord.rate_limits import Limits
from sandbox.discord.server import SandboxDiscord
from sandbox.servers import ControlPlane, Postgres, RabbitMQ, Report, control_plane, postgres, rabbitmq
from sandbox.servers.command import run
from shared import database
from shared.database import Sessions

DEFINITIONS = Path(__file__).parents[2] / "charts" / "questbell" / "definitions"
"""The definitions of the custom resources, as the chart has them."""
NAMESPACE = "default"
"""Where the sandbox's custom resources are."""


@dataclass(frozen=True)
class Stage:
    """What runs, for those who play on it."""

    directory: Path
    postgres: Postgres
    rabbitmq: RabbitMQ
    control_plane: ControlPlane
    discord: SandboxDiscord
    controllers: Workload
    bot: Workload
    engine: AsyncEngine

    @property
    def sessions(self) -> Sessions:
        """Sessions of the stage's database, for the judge."""
        return database.sessions(self.engine)


@asynccontextmanager
async def stage(*, report: Report, limits: Limits | None = None) -> AsyncIterator[Stage]:
    """Run a whole Questbell for a block; `limits` are those of its Discord, the real one's unless given."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="questbell-")))
        _let_through(directory)
        servers = await asyncio.gather(
            stack.enter_async_context(postgres(_made(directory / "postgres"), report=report)),
            stack.enter_async_context(rabbitmq(_made(directory / "rabbitmq"), report=report)),
            stack.enter_async_context(control_plane(_made(directory / "control-plane"), report=report)),
            stack.enter_async_context(SandboxDiscord(limits=limits)),
        )
        database_server, broker, cluster, discord = servers
        engine = create_async_engine(database_server.url)
        stack.push_async_callback(engine.dispose)
        await asyncio.gather(command.upgrade(engine), _define(cluster))
        report("schema migrated, custom resources defined")
        settings = {
            "QUESTBELL_DATABASE_URL": database_server.url,
            "QUESTBELL_AMQP_URL": broker.url,
            "QUESTBELL_NAMESPACE": NAMESPACE,
            "KUBECONFIG": str(cluster.kubeconfig),
            "DISCORD_API_URL": discord.url,
            "DISCORD_TOKEN": discord.token,
        }
        controllers = Workload("controllers", directory=directory, settings=settings)
        bot = Workload("bot", directory=directory, settings=settings)
        await asyncio.gather(stack.enter_async_context(controllers), stack.enter_async_context(bot))
        report("controllers and bot are ready")
        yield Stage(directory, database_server, broker, cluster, discord, controllers, bot, engine)


async def _define(cluster: ControlPlane) -> None:
    """Define the custom resources, as `helm install` does."""
    kubectl = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig)]
    await run(*kubectl, "apply", "-f", str(DEFINITIONS), within=30)
    await run(*kubectl, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s", within=40)


def _let_through(directory: Path) -> None:
    directory.chmod(0o711)  # servers that run as users of their own find their directories in it


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o711)
    return directory
