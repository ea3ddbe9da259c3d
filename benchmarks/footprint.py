"""Measures how long the controllers take to start, and how much memory they use when idle.

`python -m benchmarks.footprint` measures this checkout. `--against PATH` measures another checkout in turn with it, on
the same servers, and prints the ratio. Each checkout needs a virtual environment (`scripts/uv sync --locked`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import aiohttp
import click

from sandbox.servers import ControlPlane, Postgres, RabbitMQ, control_plane, postgres, rabbitmq
from sandbox.servers.directory import subdirectory, temporary_directory
from sandbox.servers.network import free_ports
from shared import logs, process
from shared.errors import TransientError
from shared.settings import LogSettings

HERE = Path(__file__).resolve().parents[1]
DEFINITIONS = HERE / "charts" / "questbell" / "definitions"
READY_TIMEOUT = 60.0
"""Seconds for the controllers to become ready."""


@dataclass(frozen=True)
class Footprint:
    """One start of the controllers."""

    ready_seconds: float
    processor_seconds: float
    """Processor time until ready. Other load on the machine disturbs it less than the time by the clock."""
    idle_mib: float

    def __str__(self) -> str:
        return f"{self.ready_seconds:.2f} s, processor {self.processor_seconds:.2f} s, {self.idle_mib:.1f} MiB"


@dataclass(frozen=True)
class Servers:
    """The servers that all starts share."""

    database: Postgres
    broker: RabbitMQ
    cluster: ControlPlane


@click.command()
@click.option("--against", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another checkout.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Starts of each checkout.")
@click.option(
    "--idle", type=click.FloatRange(1), default=20.0, show_default=True, help="Seconds before memory is read."
)
def main(against: Path | None, rounds: int, idle: float) -> None:
    """Measure start-up time and idle memory of the controllers."""
    logs.configure(LogSettings(format="console", level="error"), workload="footprint", stream=sys.stderr)
    checkouts = [HERE] if against is None else [against.resolve(), HERE]
    process.run(process.run_until_signalled(lambda: measure(checkouts, rounds=rounds, idle=idle)))


async def measure(checkouts: list[Path], *, rounds: int, idle: float) -> None:
    """Start each checkout in turn, and print the figures."""
    found: dict[Path, list[Footprint]] = {checkout: [] for checkout in checkouts}
    async with _servers() as servers:
        for number in range(rounds):
            for checkout in checkouts:
                footprint = await _start(checkout, servers, idle=idle)
                found[checkout].append(footprint)
                click.echo(f"{number + 1}  {checkout}  {footprint}")
    medians = [_median(footprints) for footprints in found.values()]
    for checkout, median in zip(checkouts, medians, strict=True):
        click.echo(f"median  {checkout}  {median}")
    if len(medians) == 2:
        other, this = medians
        ratios = [mine / theirs for mine, theirs in zip(astuple(this), astuple(other), strict=True)]
        click.echo("ratio  start {:.2f}, processor {:.2f}, memory {:.2f}".format(*ratios))


def _median(footprints: list[Footprint]) -> Footprint:
    return Footprint(*(statistics.median(figures) for figures in zip(*map(astuple, footprints), strict=True)))


@asynccontextmanager
async def _servers() -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(temporary_directory("footprint-"))
        database = await stack.enter_async_context(postgres(subdirectory(directory, "postgres"), report=click.echo))
        broker = await stack.enter_async_context(rabbitmq(subdirectory(directory, "rabbitmq"), report=click.echo))
        cluster = await stack.enter_async_context(
            control_plane(subdirectory(directory, "control-plane"), report=click.echo)
        )
        await _kubectl(cluster, "apply", "-f", str(DEFINITIONS))
        await _kubectl(cluster, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield Servers(database, broker, cluster)


async def _start(checkout: Path, servers: Servers, *, idle: float) -> Footprint:
    """Start the controllers of a checkout on an empty database, virtual host and namespace."""
    name = f"footprint-{uuid.uuid4().hex[:12]}"
    port = free_ports(1)[0]
    environment = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(servers.cluster.kubeconfig),
        "QUESTBELL_NAMESPACE": name,
        "QUESTBELL_DATABASE_URL": await servers.database.create_database(name),
        "QUESTBELL_AMQP_URL": await servers.broker.add_vhost(name),
        "QUESTBELL_HEALTH_PORT": str(port),
    }
    program = str(checkout / ".venv" / "bin" / "questbell")
    await _kubectl(servers.cluster, "create", "namespace", name)
    await _run(program, "migrate", cwd=checkout, environment=environment)
    began = time.monotonic()
    child = await asyncio.create_subprocess_exec(
        program, "controllers", cwd=checkout, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await _wait_until_ready(child, port)
        ready, processor = time.monotonic() - began, _read_processor_seconds(child.pid)
        await asyncio.sleep(idle)
        return Footprint(ready, processor, _read_resident_mib(child.pid))
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await child.wait()
        await servers.database.drop_database(name)
        await servers.broker.discard_vhost(name)


async def _wait_until_ready(child: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(READY_TIMEOUT), aiohttp.ClientSession() as session:
        while child.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.02)
    raise TransientError("the controllers ended before they were ready")


def _read_processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _read_resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise TransientError("the process has no resident memory")
    return int(found[1]) / 1024


async def _kubectl(cluster: ControlPlane, *words: str) -> None:
    await _run(str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig), *words, environment=dict(os.environ))


async def _run(*command: str, environment: Mapping[str, str], cwd: Path = HERE) -> None:
    child = await asyncio.create_subprocess_exec(*command, cwd=cwd, env=environment, stdout=asyncio.subprocess.DEVNULL)
    if await child.wait():
        raise TransientError(f"{command[0]} failed")


if __name__ == "__main__":
    main()
