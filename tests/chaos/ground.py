"""What all cells of a run share: the servers, a migrated database to copy, and a namespace for each cell."""

from __future__ import annotations

import json
import tempfile
from asyncio import TaskGroup
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine

from migrations import command
from sandbox.demo.environment import DEFINITIONS
from sandbox.servers import ControlPlane, Postgres, RabbitMQ, Report, control_plane, postgres, rabbitmq
from sandbox.servers.command import run
from shared.database import sessions as sessions_of
from tests.chaos import history, sessions

TEMPLATE = "chaos_template"
DEAD_LETTERS_EVERY = 5
"""Seconds between two runs of the dead-letter loop, which else would not run within a cell."""


@dataclass(frozen=True)
class Ground:
    """The servers, and where files go."""

    directory: Path
    postgres: Postgres
    rabbitmq: RabbitMQ
    control_plane: ControlPlane


@asynccontextmanager
async def ground(namespaces: Sequence[str], *, report: Report) -> AsyncIterator[Ground]:
    """Run the servers for a block, each namespace being there with resources of ours."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(_directory())
        async with TaskGroup() as starting:  # if one fails, the others are stopped before it is said
            database = starting.create_task(
                stack.enter_async_context(postgres(_made(directory / "postgres"), report=report))
            )
            broker = starting.create_task(
                stack.enter_async_context(rabbitmq(_made(directory / "rabbitmq"), report=report))
            )
            cluster = starting.create_task(
                stack.enter_async_context(control_plane(_made(directory / "control-plane"), report=report))
            )
        made = Ground(directory, database.result(), broker.result(), cluster.result())
        async with TaskGroup() as filling:
            filling.create_task(_migrate(made.postgres))
            filling.create_task(_define(made.control_plane, namespaces, directory))
        report("sessions made, custom resources defined")
        yield made


async def _migrate(server: Postgres) -> None:
    engine = create_async_engine(await server.create_database(TEMPLATE))
    try:
        await command.upgrade(engine)
        await sessions.make(sessions_of(engine))
        await history.install(engine)
    finally:
        await engine.dispose()


async def _define(cluster: ControlPlane, namespaces: Sequence[str], directory: Path) -> None:
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
        "spec": {"intervalSeconds": DEAD_LETTERS_EVERY},
    }
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, reconciler]


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="questbell-chaos-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # servers that run as users of their own find their directories in it
        yield directory


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o711)
    return directory
