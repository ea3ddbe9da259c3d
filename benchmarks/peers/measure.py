"""Measures the burst of each peer: its best settings, then as many reminders as Questbell had.

A peer has a new database and virtual host for each run. Its workers are started first and deliver a few reminders, so
that they are connected and warm. The reminders of the burst are all added before they are due.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from benchmarks.environment import Servers, connect, new_database, new_vhost
from benchmarks.errors import BenchmarkError
from benchmarks.peers.catalog import PEERS, Peer, Settings, shown
from benchmarks.peers.program import SETTINGS
from benchmarks.peers.work import TABLES
from benchmarks.plan import Plan
from benchmarks.process import ROOT, Worker
from benchmarks.rows import Connection, now
from sandbox.demo.progress import Progress
from sandbox.servers.directory import subdirectory
from sandbox.servers.process import Process, last_lines

WARM_UP = 200
"""Reminders."""
LEAD = timedelta(seconds=5)
"""The least time from adding the first reminder to the instant at which all are due."""
SLACK = 3
"""How many times as long as expected adding the reminders may take: workers take their messages in the same time."""
_ENQUEUE_TIMEOUT = 600.0
_STALLED = 30.0
_CHECK_INTERVAL = 0.25


@dataclass(frozen=True)
class PeerBurst:
    """The burst of one peer."""

    peer: Peer
    settings: Settings
    settled: Sequence[timedelta]
    """From due to committed, by the database's clock, in ascending order."""
    doubles: int
    """Reminders that were delivered again."""
    tried: int = 1
    """How many settings were tried, with these as the fastest."""

    @property
    def seconds(self) -> float:
        """From due until the last one was committed."""
        return self.settled[-1].total_seconds()

    @property
    def per_second(self) -> float:
        """Reminders per second."""
        return len(self.settled) / self.seconds


async def measure_peers(servers: Servers, plan: Plan, *, progress: Progress) -> list[PeerBurst]:
    """Return the burst of each peer.

    Raises:
        BenchmarkError: a peer did not deliver all reminders, or failed.
    """
    return [await _measure(servers, peer, plan, progress=progress) for peer in PEERS]


async def _measure(servers: Servers, peer: Peer, plan: Plan, *, progress: Progress) -> PeerBurst:
    best = peer.tried[0]
    if plan.tried_rows:
        rows = min(plan.tried_rows, plan.rows)
        tried = []
        for settings in peer.tried:
            tried.append(await _burst(servers, peer, settings, rows))
            progress.step(f"{peer.name} with {shown(settings)}: {_line(tried[-1])}")
        best = max(tried, key=lambda burst: burst.per_second).settings
    measured = await _burst(servers, peer, best, plan.rows)
    if plan.tried_rows:
        measured = replace(measured, tried=len(peer.tried))
    progress.step(f"{peer.name}, {plan.rows} reminders due at one instant: {_line(measured)}")
    return measured


def _line(burst: PeerBurst) -> str:
    return f"{burst.per_second:,.0f}/s, {burst.doubles} delivered again"


async def _burst(servers: Servers, peer: Peer, settings: Settings, rows: int) -> PeerBurst:
    async with AsyncExitStack() as stack:
        database_url = await stack.enter_async_context(new_database(servers.database))
        connection = await stack.enter_async_context(connect(database_url))
        await connection.execute(TABLES)
        environment = {
            "QUESTBELL_DATABASE_URL": database_url,
            "QUESTBELL_AMQP_URL": await stack.enter_async_context(new_vhost(servers.broker)),
            SETTINGS: json.dumps(settings),
        }
        async with _workers(servers, peer, settings, environment) as client:
            warm_up = await _deliver(connection, client, range(WARM_UP), lead=LEAD)
            expected = timedelta(seconds=warm_up.enqueue_seconds * rows / WARM_UP)
            burst = await _deliver(connection, client, range(WARM_UP, WARM_UP + rows), lead=LEAD + SLACK * expected)
            if not burst.were_added_in_time:
                raise BenchmarkError(
                    f"{rows} reminders took {burst.enqueue_seconds:.1f} s to add: they were due before"
                )
        # The workers have finished what they held, so no other double can follow.
        doubles = await connection.fetchval("SELECT count(*) FROM reminder_double WHERE reminder >= $1", WARM_UP)
        settled = await connection.fetch(
            "SELECT committed_at - $1 AS late FROM reminder_outcome WHERE reminder >= $2 ORDER BY late",
            burst.due_at,
            WARM_UP,
        )
    return PeerBurst(peer, settings, [row["late"] for row in settled], doubles)


@asynccontextmanager
async def _workers(
    servers: Servers, peer: Peer, settings: Settings, environment: Mapping[str, str]
) -> AsyncIterator[Worker]:
    """Run the workers of a peer for a block; yield the process that adds reminders.

    Raises:
        BenchmarkError: the block failed so; with the last lines of the workers.
    """
    directory = subdirectory(servers.directory, f"{peer.module}-{uuid.uuid4().hex}")
    program = f"benchmarks.peers.{peer.module}"
    client = Worker("client", directory=directory, environment=environment, program=(program, "client"))
    logs = [directory / f"worker-{number}.log" for number in range(int(settings.get("processes", 1)))]
    async with client, AsyncExitStack() as stack:
        await client.ask("prepare")
        for log in logs:
            process = Process(
                peer.name,
                [sys.executable, "-m", program, "work"],
                ready=_started,
                log=log,
                environment={"HOME": str(directory), "PYTHONPATH": str(ROOT), **environment},
            )
            stack.push_async_callback(process.stop)
            await process.start()
        try:
            yield client
        except BenchmarkError as error:
            words = "\n".join(map(last_lines, logs))
            raise BenchmarkError(f"{peer.name} with {shown(settings)}: {error}\n{words}") from error


async def _started() -> bool:
    """Workers have no probe: the first reminders show that they are ready."""
    return True


@dataclass(frozen=True)
class _Delivered:
    due_at: datetime
    enqueue_seconds: float
    were_added_in_time: bool
    """Whether all were added before they were due; it does not matter for a warm-up."""


async def _deliver(connection: Connection, client: Worker, reminders: range, *, lead: timedelta) -> _Delivered:
    """Add reminders that are due together, and wait until all have an outcome.

    Raises:
        BenchmarkError: some have no outcome.
    """
    due_at = await now(connection) + lead
    took = await client.ask(
        "enqueue", first=reminders.start, count=len(reminders), due_at=due_at.timestamp(), within=_ENQUEUE_TIMEOUT
    )
    await connection.execute("ANALYZE")
    were_added_in_time = await now(connection) < due_at
    await _until_delivered(connection, reminders, due_at)
    return _Delivered(due_at, took["seconds"], were_added_in_time)


async def _until_delivered(connection: Connection, reminders: range, due_at: datetime) -> None:
    clock = asyncio.get_running_loop().time
    delivered, since = 0, clock() + (due_at - await now(connection)).total_seconds()
    while delivered < len(reminders):
        await asyncio.sleep(_CHECK_INTERVAL)
        counted = await connection.fetchval(
            "SELECT count(*) FROM reminder_outcome WHERE reminder >= $1", reminders.start
        )
        if counted > delivered:
            delivered, since = counted, clock()
        if clock() - since > _STALLED:
            raise BenchmarkError(f"only {delivered} of {len(reminders)} were delivered, and none for {_STALLED:.0f} s")
