"""The environment of the demo: servers, schema, custom resources, and the two workloads as processes.

Everything is in one temporary directory and on free ports of the loopback interface. At the end of the block the
workloads stop first, then the servers, and the directory is removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from migrations import command
from sandbox.demo.workload import Workload
from sandbox.discord.rate_limits import Limits
from sandbox.discord.server import SandboxDiscord
from sandbox.servers import ControlPlane, Postgres, RabbitMQ, Report, control_plane, postgres, rabbitmq
from sandbox.servers.command import run
from sandbox.servers.directory import subdirectory, temporary_directory
from shared import database
from shared.database import Sessions
from shared.settings import DiscordSettings

DEFINITIONS = Path(__file__).parents[2] / "charts" / "questbell" / "definitions"
"""The definitions of the custom resources, as the chart has them."""
NAMESPACE = "default"
"""The namespace of the custom resources."""


@dataclass(frozen=True)
class Environment:
    """The servers and workloads that run."""

    directory: Path
    postgres: Postgres
    rabbitmq: RabbitMQ
    control_plane: ControlPlane
    controllers: Workload
    bot: Workload
    engine: AsyncEngine
    settings: Mapping[str, str]
    """The environment variables of both workloads."""

    @property
    def sessions(self) -> Sessions:
        """Database sessions for the oracle and the load."""
        return database.sessions(self.engine)


@dataclass(frozen=True)
class SandboxEnvironment(Environment):
    """An environment with the sandbox Discord."""

    discord: SandboxDiscord


@asynccontextmanager
async def sandbox_environment(
    *, report: Report, limits: Limits | None = None, port: int = 0
) -> AsyncIterator[SandboxEnvironment]:
    """Run Questbell with a sandbox Discord for a block; `limits` are its rate limits, the real ones unless given."""
    async with SandboxDiscord(limits=limits, port=port) as discord:
        settings = DiscordSettings(token=SecretStr(discord.token), api_url=discord.url)
        async with environment(settings, report=report) as running:
            yield SandboxEnvironment(**vars(running), discord=discord)


@asynccontextmanager
async def environment(discord: DiscordSettings, *, report: Report) -> AsyncIterator[Environment]:
    """Run Questbell with any Discord for a block."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(temporary_directory("demo-"))
        database_server, broker, cluster = await asyncio.gather(
            stack.enter_async_context(postgres(subdirectory(directory, "postgres"), report=report)),
            stack.enter_async_context(rabbitmq(subdirectory(directory, "rabbitmq"), report=report)),
            stack.enter_async_context(control_plane(subdirectory(directory, "control-plane"), report=report)),
        )
        engine = create_async_engine(database_server.url)
        stack.push_async_callback(engine.dispose)
        await asyncio.gather(command.upgrade(engine), _define_resources(cluster))
        report("schema migrated, custom resources defined")
        settings = {
            "QUESTBELL_DATABASE_URL": database_server.url,
            "QUESTBELL_AMQP_URL": broker.url,
            "QUESTBELL_NAMESPACE": NAMESPACE,
            "KUBECONFIG": str(cluster.kubeconfig),
            "DISCORD_API_URL": discord.api_url,
            "DISCORD_TOKEN": discord.token.get_secret_value(),
        }
        controllers = Workload("controllers", directory=directory, settings=settings)
        bot = Workload("bot", directory=directory, settings=settings)
        await asyncio.gather(stack.enter_async_context(controllers), stack.enter_async_context(bot))
        report("controllers and bot are ready")
        yield Environment(directory, database_server, broker, cluster, controllers, bot, engine, settings)


async def _define_resources(cluster: ControlPlane) -> None:
    """Define the custom resources, as `helm install` does."""
    kubectl = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig)]
    await run(*kubectl, "apply", "-f", str(DEFINITIONS), within=30)
    await run(*kubectl, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s", within=40)
