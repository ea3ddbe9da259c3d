"""Measures each function in databases of several sizes in turn, so that other load on the machine affects all of them.

Every transaction is rolled back. In each round the functions are about other rows: the first call finds them outside
PostgreSQL's cache, but perhaps in the operating system's, and the second one in it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from benchmarks.environment import connect, new_database
from benchmarks.growth.load import TABLES, Size, fill
from benchmarks.growth.work import WORK, Subject, Work
from migrations import command
from sandbox.demo.progress import Progress
from sandbox.servers.postgres import Postgres
from shared import database
from shared.database import Sessions
from shared.settings import DatabaseSettings, Timing

WARM_UP = 6
"""Rounds that are not measured. PostgreSQL decides after five executions whether it keeps a plan."""
LARGE = 100_000
"""Rows of a table, from which on it should not be read as a whole."""

_EXPLAIN = """
LOAD 'auto_explain';
SET LOCAL auto_explain.log_analyze = {analyzes};
SET LOCAL auto_explain.log_buffers = {analyzes};
SET LOCAL auto_explain.log_timing = off;
SET LOCAL auto_explain.log_nested_statements = {analyzes};
SET LOCAL auto_explain.log_format = {format};
SET LOCAL auto_explain.log_level = notice;
SET LOCAL auto_explain.log_min_duration = 0
"""


@dataclass
class Plan:
    """A statement, how often it ran, and its first plan."""

    statement: str
    plan: dict[str, Any]
    executions: int = 0
    blocks: int = 0
    """The blocks of 8 kB that all executions read, from wherever."""


@dataclass
class Times:
    """What one function took in one database, in milliseconds for each round, and its plans."""

    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    """What PostgreSQL took to execute its statements, and the triggers that these fire."""
    called: list[float] = field(default_factory=list)
    """What the caller waited for the second call, much of it for Python."""
    plans: Sequence[Plan] = ()

    @property
    def blocks(self) -> int:
        """The blocks that one call reads."""
        return sum(plan.blocks for plan in self.plans)


@dataclass(frozen=True)
class Grown:
    """A database, and what the functions took in it."""

    size: Size
    rows: Mapping[str, int]
    """The rows of each table, as the planner estimates them."""
    bytes: int
    times: Mapping[str, Times]

    def scanned(self) -> list[tuple[str, str]]:
        """The functions that read a large table as a whole, with the table."""
        large = {table for table, count in self.rows.items() if count >= LARGE}
        return [
            (name, table)
            for name, times in self.times.items()
            for plan in times.plans
            for table in scanned_tables(plan.plan)
            if table in large
        ]


async def measure(
    server: Postgres, sizes: Sequence[Size], *, rounds: int, progress: Progress, warm_up: int = WARM_UP
) -> list[Grown]:
    """Fill a database for each size, and measure."""
    async with AsyncExitStack() as stack:
        databases = []
        for size in sizes:
            progress.step(f"filling a database with {size.pending:,} pending and {size.settled:,} settled reminders")
            url = await stack.enter_async_context(new_database(server))
            await _fill(url, size, progress=progress)
            databases.append((url, size))
        return await measure_filled(databases, rounds=rounds, progress=progress, warm_up=warm_up)


async def measure_filled(
    databases: Sequence[tuple[str, Size]], *, rounds: int, progress: Progress, warm_up: int = WARM_UP
) -> list[Grown]:
    """Measure in databases that are filled."""
    grown = [await _describe(url, size) for url, size in databases]
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(_connected(url)) for url, _ in databases]
        for number in range(warm_up + rounds):
            share = (number + 1) / (warm_up + rounds + 1)
            await _run_round(grown, sessions, share=share, counts=number >= warm_up)
            progress.step(f"round {number + 1} of {warm_up + rounds}")
        progress.step("reading plans")
        await _explain(grown, sessions)
    return grown


async def _fill(url: str, size: Size, *, progress: Progress) -> None:
    engine = create_async_engine(url)
    await command.upgrade(engine)
    await engine.dispose()
    async with connect(url) as connection:
        await fill(connection, size, report=progress.step)


async def _describe(url: str, size: Size) -> Grown:
    async with connect(url) as connection:
        found = await connection.fetch("SELECT relname, reltuples FROM pg_class WHERE relname = ANY($1)", TABLES)
        size_in_bytes = await connection.fetchval("SELECT pg_database_size(current_database())")
    rows = {row["relname"]: int(row["reltuples"]) for row in found}
    return Grown(size, rows, size_in_bytes, {name: Times() for name in WORK})


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Sessions]:
    """One connection, as all work of a process would have it after a while."""
    settings = DatabaseSettings(url=SecretStr(url), pool_size=3)
    async with database.engine(settings, application_name="growth", timing=Timing()) as engine:
        yield database.sessions(engine)


async def _run_round(grown: Sequence[Grown], sessions: Sequence[Sessions], *, share: float, counts: bool) -> None:
    for name, work in WORK.items():
        for database_, its_sessions in zip(grown, sessions, strict=True):
            first, _ = await _run(its_sessions, work, database_.size, share=share)
            again, called = await _run(its_sessions, work, database_.size, share=share)
            if counts:
                times = database_.times[name]
                times.first.append(first)
                times.again.append(again)
                times.called.append(called)


async def _run(sessions: Sessions, work: Work, size: Size, *, share: float) -> tuple[float, float]:
    """Return the milliseconds that a call takes in PostgreSQL and for its caller, without the transaction around it."""
    async with sessions() as session:
        subject = await _subject(session, size, share=share)
        async with executed(session) as durations:
            began = time.perf_counter()
            await work(session, subject)
            called = time.perf_counter() - began
        await session.rollback()
    return sum(durations), 1_000 * called


async def _subject(session: AsyncSession, size: Size, *, share: float) -> Subject:
    """Return a coming game whose reminders are pending."""
    return Subject(int((size.coming - size.due) * share), size, await database.now(session))


async def _explain(grown: Sequence[Grown], sessions: Sequence[Sessions]) -> None:
    for name, work in WORK.items():
        for database_, its_sessions in zip(grown, sessions, strict=True):
            async with its_sessions() as session:
                subject = await _subject(session, database_.size, share=0.5)
                async with explained(session) as plans:
                    await work(session, subject)
                await session.rollback()
            database_.times[name].plans = list(plans.values())


@asynccontextmanager
async def executed(session: AsyncSession) -> AsyncIterator[Sequence[float]]:
    """Collect the milliseconds that PostgreSQL takes to execute each statement of a block."""
    durations: list[float] = []

    def note(message: str) -> None:
        durations.append(float(message.split()[1]))

    async with _auto_explain(session, note, analyzes="off", format="text"):
        yield durations


@asynccontextmanager
async def explained(session: AsyncSession) -> AsyncIterator[Mapping[str, Plan]]:
    """Collect the plans of all statements of a block and of their triggers, with the plans that they really have."""
    plans: dict[str, Plan] = {}

    def note(message: str) -> None:
        found = json.loads(message.partition("plan:\n")[2])
        plan = plans.setdefault(found["Query Text"], Plan(found["Query Text"], found["Plan"]))
        plan.executions += 1
        plan.blocks += found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"]

    async with _auto_explain(session, note, analyzes="on", format="json"):
        yield plans


@asynccontextmanager
async def _auto_explain(session: AsyncSession, note: Callable[[str], None], **settings: str) -> AsyncIterator[None]:
    """Call `note` with a text about each statement of a block, `duration: 0.123 ms  plan:` and its plan."""
    connection = (await (await session.connection()).get_raw_connection()).driver_connection
    assert connection is not None

    def listen(_connection: object, message: Any) -> None:
        if message.message.startswith("duration:"):
            note(message.message)

    for statement in _EXPLAIN.format(**settings).split(";"):
        await session.execute(text(statement))
    connection.add_log_listener(listen)
    try:
        yield
        await session.execute(text("SELECT"))  # ends the statement before, which is noted then
        await asyncio.sleep(0)  # the driver calls listeners in the loop's next turn
    finally:
        connection.remove_log_listener(listen)


def scanned_tables(plan: dict[str, Any]) -> Iterator[str]:
    """Yield the tables that a plan reads as a whole."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for child in plan.get("Plans", ()):
        yield from scanned_tables(child)


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """Return how many times as long something took, by the shortest times: other load only makes them longer."""
    return min(of) / min(to)
