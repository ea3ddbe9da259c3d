"""`python -m benchmarks.churn`: what a steady load of reminders leaves in the tables until they are vacuumed.

The controllers' loop and the bot's delivery work as in `make bench`, with settled rows that are purged meanwhile: once
with PostgreSQL's settings for autovacuum, and once with those of the schema.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

import click
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from benchmarks import rows
from benchmarks.environment import Environment, Servers, connect, environment, start_servers
from benchmarks.errors import BenchmarkError
from benchmarks.growth.load import FIRST_MESSAGE_ID, OFFSETS, Size, fill
from benchmarks.growth.measure import explained
from benchmarks.plan import Plan
from benchmarks.rows import Connection
from controllers.loops import queries
from controllers.loops.sources import NOTIFICATIONS
from sandbox.demo.progress import Progress
from shared import database, logs, process
from shared.database import Sessions
from shared.messaging import topology
from shared.settings import DatabaseSettings, LogSettings, Timing

TABLES = ("notification_schedule", "notification_delivery", "game_status_schedule")
"""Those whose settings the schema changes."""
LEAD = timedelta(seconds=10)
"""From the preparation to the first reminder."""
SAMPLE_EVERY = 5.0
"""Seconds."""
SEARCHES = 5
"""Searches for the next due row in one sample, of which the median counts. A claim reads the same entries first."""

_INDEX = "ix_notification_schedule_kind_attempt_at"
_STATISTICS = """
SELECT relname, n_tup_upd AS updates, n_tup_hot_upd AS without_index, autovacuum_count AS vacuums
FROM pg_stat_user_tables WHERE relname = ANY($1)
"""
_STATE = f"""
SELECT n_dead_tup AS dead, autovacuum_count AS vacuums, pg_relation_size('{_INDEX}') AS index_bytes
FROM pg_stat_user_tables WHERE relname = 'notification_schedule'
"""
_DUE_LATER = """
UPDATE notification_schedule SET attempt_at = attempt_at + interval '30 days' WHERE attempt_at <= clock_timestamp()
"""
_BECOME_DUE = """
UPDATE notification_schedule AS reminder
SET due_at = chosen.due_at, attempt_at = chosen.due_at
FROM (
    SELECT id, clock_timestamp() + CAST($3 AS interval) + row_number() OVER () * CAST($4 AS interval) AS due_at
    FROM (
        SELECT id FROM notification_schedule
        WHERE offset_minutes = $1 AND attempt_at > clock_timestamp()
        ORDER BY random()
        LIMIT $2
    ) AS any_order
) AS chosen
WHERE reminder.id = chosen.id
RETURNING reminder.id, reminder.due_at
"""
_DELIVERED = "SELECT count(*) FROM notification_delivery WHERE message_id < $1"


@dataclass(frozen=True)
class Sample:
    """The state of `notification_schedule` at one moment."""

    seconds: float
    milliseconds: float
    """The time to find the next due row."""
    blocks: int
    """The blocks of 8 kB that are read for it."""
    dead: int
    """Dead rows, as PostgreSQL's statistics have them."""
    vacuums: int
    index_bytes: int
    """The index that claims read."""


@dataclass(frozen=True)
class Churn:
    """What one run has shown."""

    settings: str
    delivered: int
    samples: Sequence[Sample]
    tables: Mapping[str, Mapping[str, int]]
    """The updates of each table, how many of them wrote to no index, and its vacuums."""


@click.command()
@click.option("--minutes", type=float, default=4.0, show_default=True, help="Of each run.")
@click.option("--per-second", type=click.IntRange(1), default=50, show_default=True, help="Reminders.")
@click.option("--pending", type=click.IntRange(1_000), default=1_000_000, show_default=True)
@click.option("--settled", type=click.IntRange(0), default=1_000_000, show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("churn.json"))
def main(minutes: float, per_second: int, pending: int, settled: int, output: Path) -> None:
    """Deliver reminders at a steady rate, and watch how much a claim must read until it finds a row that is open."""
    logs.configure(LogSettings(format="console", level="error"), workload="churn", stream=sys.stderr)
    progress, runs = Progress(), list[Churn]()

    async def work() -> None:
        async with start_servers(report=progress.step) as servers:
            for has_settings in (False, True):
                size = Size(pending, settled)
                runs.append(await _churn(servers, size, minutes, per_second, has_settings, progress=progress))

    process.run(process.run_until_signalled(work))
    if len(runs) < 2:
        sys.exit(130)
    _show(runs)
    output.write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n")


async def _churn(
    servers: Servers, size: Size, minutes: float, per_second: int, has_settings: bool, *, progress: Progress
) -> Churn:
    name = "the schema's" if has_settings else "PostgreSQL's"
    async with environment(servers, Plan()) as questbell, connect(questbell.database_url) as connection:
        if not has_settings:
            await _reset_settings(connection)
        progress.step(f"{name} settings of autovacuum")
        await fill(connection, size, report=progress.step)
        due = await _become_due(connection, round(60 * minutes * per_second), per_second)
        settings = DatabaseSettings(url=SecretStr(questbell.database_url))
        async with database.engine(settings, application_name="churn", timing=Timing()) as engine:
            samples = await _watch(questbell, database.sessions(engine), due, progress=progress)
        delivered = await connection.fetchval(_DELIVERED, FIRST_MESSAGE_ID)
        tables = {row.pop("relname"): row for row in map(dict, await connection.fetch(_STATISTICS, TABLES))}
        return Churn(name, delivered, samples, tables)


async def _reset_settings(connection: Connection) -> None:
    for table in TABLES:
        options = await connection.fetchval("SELECT reloptions FROM pg_class WHERE relname = $1", table)
        names = [option.partition("=")[0] for option in options or ()]
        await connection.execute(f"ALTER TABLE {table} RESET ({', '.join(names)})")


async def _become_due(connection: Connection, count: int, per_second: int) -> rows.Due:
    """Let reminders of as many games become due one after the other. Their rows are anywhere in the table.

    Raises:
        BenchmarkError: there are not as many games.
    """
    await connection.execute(_DUE_LATER)
    found = await connection.fetch(_BECOME_DUE, max(OFFSETS), count, LEAD, timedelta(seconds=1 / per_second))
    if len(found) < count:
        raise BenchmarkError(f"there are {len(found)} games for {count} reminders: raise --pending")
    await connection.execute("VACUUM notification_schedule")
    return rows.Due([row["id"] for row in found], (), max(row["due_at"] for row in found))


async def _watch(questbell: Environment, sessions: Sessions, due: rows.Due, *, progress: Progress) -> list[Sample]:
    await questbell.dispatcher.ask("start", batch_size=Plan().batch_size)  # declares the queues
    await questbell.bot.ask("attach")
    began, samples = time.monotonic(), list[Sample]()
    settling = asyncio.create_task(rows.until_settled(questbell.database, due))
    try:
        while not settling.done():
            await asyncio.wait({settling}, timeout=SAMPLE_EVERY)
            samples.append(await _sample(sessions, time.monotonic() - began))
            progress.step(_line(samples[-1]))
        await settling
    finally:
        settling.cancel()
    await questbell.bot.ask("detach")
    return samples


async def _sample(sessions: Sessions, seconds: float) -> Sample:
    times = []
    async with database.transaction(sessions) as session:
        for _ in range(SEARCHES):
            began = time.perf_counter()
            await queries.seconds_until_next(session, NOTIFICATIONS, topology.REMINDERS)
            times.append(1_000 * (time.perf_counter() - began))
        async with explained(session) as plans:
            await queries.seconds_until_next(session, NOTIFICATIONS, topology.REMINDERS)
        state = (await session.execute(text(_STATE))).one()._mapping
    return Sample(round(seconds), round(median(times), 2), sum(plan.blocks for plan in plans.values()), **state)


def _line(sample: Sample) -> str:
    return (
        f"{sample.milliseconds:.2f} ms and {sample.blocks:,} blocks to the next due row; {sample.dead:,} dead rows, "
        f"{sample.vacuums} vacuums, index {sample.index_bytes / 2**20:.1f} MiB"
    )


def _show(runs: Sequence[Churn]) -> None:
    table = Table("autovacuum", "delivered", "", "first", "median", "highest", "last", title="Churn")
    for run in runs:
        for name in ("milliseconds", "blocks", "dead", "vacuums", "index_bytes"):
            values = [getattr(sample, name) for sample in run.samples]
            shown = (values[0], median(values), max(values), values[-1])
            table.add_row(run.settings, f"{run.delivered:,}", name, *(f"{value:,}" for value in shown))
    console = Console(width=120)
    console.print(table)
    for run in runs:
        for name, counts in run.tables.items():
            console.print(f"{run.settings}: {name}: {counts}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
