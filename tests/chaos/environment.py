"""What all scenarios of a run share: the servers, a migrated database to copy, and a namespace for each scenario."""

from __future__ import annotations

import json
from asyncio import TaskGroup
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from migrations import command
from sandbox.demo.environment import DEFINITIONS
from sandbox.oracle import history
from sandbox.servers import ControlPlane, Postgres, RabbitMQ, Report, control_plane, postgres, rabbitmq
from sandbox.servers.command import run
from sandbox.servers.directory import subdirectory, temporary_directory
from sandbox.servers.postgres_pair import PostgresPair, postgres_pair
from sandbox.servers.rabbitmq_cluster import RabbitCluster, rabbitmq_cluster
from shared import database
from shared.settings import DatabaseSettings, Timing
from tests.chaos import games, short_offers
from tests.support import transition_check

TEMPLATE = "chaos_template"
DEAD_LETTER_INTERVAL = 5
"""Seconds between two runs of the dead-letter loop; at its default it would not run within a scenario."""


@dataclass(frozen=True)
class Environment:
    """The servers, and the directory for files."""

    directory: Path
    postgres: Postgres
    rabbitmq: RabbitMQ
    control_plane: ControlPlane
    pair: PostgresPair | None = None
    """Used in place of `postgres`, for a scenario that fails over."""
    broker_cluster: RabbitCluster | None = None
    """Used in place of `rabbitmq`, for a scenario that loses one of several nodes."""

    @property
    def database_server(self) -> Postgres | PostgresPair:
        """Where the scenarios have their databases."""
        return self.pair or self.postgres

    @property
    def broker(self) -> RabbitMQ | RabbitCluster:
        """Where the scenarios have their virtual hosts."""
        return self.broker_cluster or self.rabbitmq


@asynccontextmanager
async def environment(namespaces: Sequence[str], *, report: Report) -> AsyncIterator[Environment]:
    """Run the servers for a block, with the custom resources in each namespace."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(temporary_directory("chaos-"))

        def path(name: str) -> Path:
            return subdirectory(directory, name)

        async with TaskGroup() as tasks:  # if one fails, the others are stopped before the error is reported
            database_server = tasks.create_task(stack.enter_async_context(postgres(path("postgres"), report=report)))
            broker = tasks.create_task(stack.enter_async_context(rabbitmq(path("rabbitmq"), report=report)))
            cluster = tasks.create_task(stack.enter_async_context(control_plane(path("control-plane"), report=report)))
        running = Environment(directory, database_server.result(), broker.result(), cluster.result())
        async with TaskGroup() as tasks:
            tasks.create_task(_create_template(running.postgres))
            tasks.create_task(_define_resources(running.control_plane, namespaces, directory))
        report("games created, custom resources defined")
        yield running


@asynccontextmanager
async def with_pair(environment: Environment, name: str, *, synchronous: bool) -> AsyncIterator[Environment]:
    """Run a pair of PostgreSQL servers for a block, with a migrated database and the logs in a directory `name`."""
    directory = subdirectory(environment.directory, name)
    async with postgres_pair(directory, synchronous=synchronous, report=lambda step: None) as pair:
        await _create_template(pair)
        yield replace(environment, pair=pair)


@asynccontextmanager
async def with_broker_cluster(environment: Environment, name: str) -> AsyncIterator[Environment]:
    """Run a cluster of RabbitMQ nodes for a block, with the logs in a directory `name`."""
    directory = subdirectory(environment.directory, name)
    async with rabbitmq_cluster(directory, report=lambda step: None) as cluster:
        yield replace(environment, broker_cluster=cluster)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncEngine]:
    """Connect to a database for a block as the product does, over a connection that no fault blocks."""
    settings = DatabaseSettings(url=SecretStr(url))
    async with database.engine(settings, application_name="chaos", timing=Timing()) as engine:
        yield engine


async def _create_template(server: Postgres | PostgresPair) -> None:
    async with connected(await server.create_database(TEMPLATE)) as engine:
        await command.upgrade(engine)
        await games.create(database.sessions(engine))
        await history.install(engine)
        async with engine.begin() as connection:
            await transition_check.install(connection)
            await short_offers.install(connection)


async def _define_resources(cluster: ControlPlane, namespaces: Sequence[str], directory: Path) -> None:
    kubectl = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig)]
    await run(*kubectl, "apply", "-f", str(DEFINITIONS), within=30)
    await run(*kubectl, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s", within=40)
    manifest = directory / "namespaces.json"
    items = [item for name in namespaces for item in _namespace(name)]
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    await run(*kubectl, "apply", "-f", str(manifest), within=60)


def _namespace(name: str) -> list[dict[str, object]]:
    reconciler: dict[str, object] = {
        "apiVersion": "questbell.dev/v1alpha1",
        "kind": "DeadLetterReconciler",
        "metadata": {"name": "default", "namespace": name},
        "spec": {"intervalSeconds": DEAD_LETTER_INTERVAL},
    }
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, reconciler]
