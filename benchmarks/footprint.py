"""`python -m benchmarks.footprint`: what Questbell costs while it has nothing to do, and how punctual it then is.

Both workloads start on an empty database. Then they are idle, and then a few reminders become due, one after the other.
`--against PATH` measures another checkout in turn with this one, on the same servers, and prints the ratios. Each
checkout needs a virtual environment (`scripts/uv sync --locked`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import click
from rich.console import Console
from rich.table import Table

from benchmarks import idle, rows
from benchmarks.environment import connect
from benchmarks.rows import Connection
from sandbox.discord.server import SandboxDiscord
from sandbox.percentiles import milliseconds
from sandbox.servers import ControlPlane, Postgres, RabbitMQ, control_plane, postgres, rabbitmq
from sandbox.servers.directory import subdirectory, temporary_directory
from sandbox.servers.network import free_port
from shared import logs, process
from shared.errors import TransientError
from shared.settings import LogSettings

HERE = Path(__file__).resolve().parents[1]
DEFINITIONS = HERE / "charts" / "questbell" / "definitions"
READY_TIMEOUT = 60.0
"""Seconds for a workload to become ready."""
SETTLING = 10.0
"""Seconds from ready until a workload counts as idle."""
SPACING = timedelta(milliseconds=200)
"""From one calm reminder to the next."""
TARGETS = {
    "controllers ready_seconds": 3.0,
    "bot ready_seconds": 3.0,
    "controllers idle_mib": 110.0,
    "bot idle_mib": 130.0,
    "controllers idle_cpu_percent": 0.5,
    "bot idle_cpu_percent": 0.5,
    "loop queries_a_minute": 4.0,
    "reminders late_p99_ms": 50.0,
    "reminders early": 0.0,
}
"""The most that each figure should be."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Servers:
    """The servers that all starts share, and a connection that counts statements."""

    database: Postgres
    broker: RabbitMQ
    cluster: ControlPlane
    counting: Connection


@click.command()
@click.option("--against", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another checkout.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Starts of each checkout.")
@click.option("--seconds", type=click.FloatRange(1), default=60.0, show_default=True, help="To be idle in each round.")
@click.option("--reminders", type=click.IntRange(1), default=300, show_default=True, help="Calm ones in each round.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("footprint.json"), show_default=True
)
def main(against: Path | None, rounds: int, seconds: float, reminders: int, output: Path) -> None:
    """Measure starts, an idle time and calm reminders; print a table and write the figures as JSON.

    Missing a target is reported but is no failure.
    """
    logs.configure(LogSettings(format="console", level="error"), workload="footprint", stream=sys.stderr)
    checkouts = [HERE] if against is None else [HERE, against.resolve()]
    found: dict[Path, list[Figures]] = {checkout: [] for checkout in checkouts}

    async def work() -> None:
        async with _servers() as servers:
            for number in range(rounds):
                for checkout in checkouts:
                    figures = await _measure(checkout, servers, seconds=seconds, reminders=reminders)
                    found[checkout].append(figures)
                    click.echo(f"{number + 1}  {checkout}  {json.dumps(figures)}")

    process.run(process.run_until_signalled(work))
    if any(len(measured) < rounds for measured in found.values()):
        sys.exit(130)
    medians = [_medians(measured) for measured in found.values()]
    Console(width=120).print(_table(medians))
    output.write_text(json.dumps({"medians": medians[0], "targets": TARGETS, "rounds": found[HERE]}, indent=2) + "\n")


def _medians(measured: Sequence[Figures]) -> Figures:
    return {name: round(statistics.median(figures[name] for figures in measured), 3) for name in measured[0]}


def _table(medians: Sequence[Figures]) -> Table:
    table = Table("", "median", "target", "", *(["ratio to the other"] if medians[1:] else []), title="Questbell, calm")
    for name, value in medians[0].items():
        target = TARGETS.get(name)
        verdict = "" if target is None else ("met" if value <= target else "missed")
        ratios = [f"{value / other[name]:.2f}" if other[name] else "" for other in medians[1:]]
        table.add_row(name.replace("_", " "), f"{value:g}", "" if target is None else f"{target:g}", verdict, *ratios)
    return table


@asynccontextmanager
async def _servers() -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(temporary_directory("footprint-"))
        database = await stack.enter_async_context(
            postgres(subdirectory(directory, "postgres"), report=click.echo, settings=idle.PRELOADED)
        )
        broker = await stack.enter_async_context(rabbitmq(subdirectory(directory, "rabbitmq"), report=click.echo))
        cluster = await stack.enter_async_context(
            control_plane(subdirectory(directory, "control-plane"), report=click.echo)
        )
        await _kubectl(cluster, "apply", "-f", str(DEFINITIONS))
        await _kubectl(cluster, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        counting = await stack.enter_async_context(connect(database.url))
        yield Servers(database, broker, cluster, counting)


async def _measure(checkout: Path, servers: Servers, *, seconds: float, reminders: int) -> Figures:
    """Run both workloads of a checkout on an empty database, virtual host and namespace."""
    name = f"footprint-{uuid.uuid4().hex[:12]}"
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(SandboxDiscord())
        database_url = await servers.database.create_database(name)
        stack.push_async_callback(servers.database.drop_database, name)
        environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(servers.cluster.kubeconfig),
            "QUESTBELL_NAMESPACE": name,
            "QUESTBELL_DATABASE_URL": database_url,
            "QUESTBELL_AMQP_URL": await servers.broker.add_vhost(name),
            "DISCORD_API_URL": discord.url,
            "DISCORD_TOKEN": discord.token,
        }
        stack.push_async_callback(servers.broker.discard_vhost, name)
        await _kubectl(servers.cluster, "create", "namespace", name)
        await _run(str(checkout / ".venv" / "bin" / "questbell"), "migrate", cwd=checkout, environment=environment)
        workloads = {
            workload: await stack.enter_async_context(_started(checkout, workload, environment))
            for workload in ("controllers", "bot")
        }
        await asyncio.sleep(SETTLING)
        await idle.reset(servers.counting)
        began, before = (
            time.monotonic(),
            {workload: _read_processor_seconds(it.pid) for workload, it in workloads.items()},
        )
        await asyncio.sleep(seconds)
        took, figures = time.monotonic() - began, Figures()
        statements = await idle.count_statements(servers.counting, name)
        for workload, started in workloads.items():
            spent = _read_processor_seconds(started.pid) - before[workload]
            figures[f"{workload} ready_seconds"] = round(started.ready_seconds, 2)
            figures[f"{workload} ready_processor_seconds"] = round(started.processor_seconds, 2)
            figures[f"{workload} idle_mib"] = round(_read_resident_mib(started.pid), 1)
            figures[f"{workload} idle_cpu_percent"] = round(spent / took * 100, 2)
        figures["loop queries_a_minute"] = round(idle.loop_queries(statements) / took * 60, 1)
        figures["all transactions_a_minute"] = round(statements["COMMIT"] / took * 60)
        click.echo("\n".join(f"{calls:6}  {query[:100]}" for query, calls in statements.most_common()), err=True)
        async with connect(database_url) as connection:
            return figures | await _measure_lateness(discord, connection, reminders)


async def _measure_lateness(discord: SandboxDiscord, connection: Connection, reminders: int) -> Figures:
    """Return the figures of the time from due to accepted by Discord of reminders that are due one after the other."""
    guild = next(iter(discord.world.guilds.values()))
    channel_ids = [discord.world.add_channel(guild, f"table-{number}").id for number in range(reminders)]
    await rows.fill_guilds(connection)
    due = await rows.fill_spaced(connection, reminders, every=SPACING, channel_ids=channel_ids)
    await rows.until_settled(connection, due)
    due_at = dict(await connection.fetch("SELECT channel_id, scheduled_at - $1::interval FROM game", rows.OFFSET))
    accepted = {record.channel_id: record.wall for record in discord.evidence if record.kind == "create"}
    late = [accepted[channel_id] - moment.timestamp() for channel_id, moment in due_at.items()]
    spread: dict[str, Any] = {f"reminders late_{place}_ms": value for place, value in milliseconds(late).items()}
    return {**spread, "reminders early": sum(seconds < 0 for seconds in late)}


@dataclass(frozen=True)
class _Started:
    """A workload that became ready."""

    pid: int
    ready_seconds: float
    processor_seconds: float
    """Processor time until ready. Other load on the machine disturbs it less than the time by the clock."""


@asynccontextmanager
async def _started(checkout: Path, workload: str, environment: Mapping[str, str]) -> AsyncIterator[_Started]:
    """Run a workload of a checkout for a block."""
    port, program = free_port(), str(checkout / ".venv" / "bin" / "questbell")
    began = time.monotonic()
    child = await asyncio.create_subprocess_exec(
        program,
        workload,
        cwd=checkout,
        env={**environment, "QUESTBELL_HEALTH_PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await _wait_until_ready(child, port, workload)
        yield _Started(child.pid, time.monotonic() - began, _read_processor_seconds(child.pid))
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await child.wait()


async def _wait_until_ready(child: asyncio.subprocess.Process, port: int, workload: str) -> None:
    async with asyncio.timeout(READY_TIMEOUT), aiohttp.ClientSession() as session:
        while child.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.02)
    raise TransientError(f"{workload} ended before being ready")


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
