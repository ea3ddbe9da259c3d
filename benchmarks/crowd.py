"""`python -m benchmarks.crowd`: many games made at once, as when a large event is announced.

All of Questbell runs, with a sandbox Discord without limits. The reminders are due within a minute, at a rate that the
bot's limit of requests allows.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import click
from pydantic import SecretStr
from sqlalchemy import func, select

from benchmarks.errors import BenchmarkError
from sandbox.demo.environment import SandboxEnvironment, sandbox_environment
from sandbox.demo.progress import Progress
from sandbox.discord.rate_limits import Limits
from sandbox.percentiles import milliseconds
from shared import database, logs, process
from shared.database import Sessions
from shared.games import NewGame, create_game
from shared.models import NotificationKind, NotificationSchedule, Outcome
from shared.settings import DatabaseSettings, LogSettings, Timing

Row = NotificationSchedule
CHANNELS = 50
POOL = 10
"""Connections that create games at the same time."""
SPREAD = timedelta(seconds=60)
"""From the first reminder to the last."""
OFFSET = timedelta(minutes=10)
CHECK_INTERVAL = 1.0


@click.command()
@click.option("--games", type=click.IntRange(1), default=1_000, show_default=True)
@click.option("--lead", type=float, default=90.0, show_default=True, help="Seconds to the first reminder.")
def main(games: int, lead: float) -> None:
    """Make games at once, and print how long that took, and how late announcements and reminders were."""
    logs.configure(LogSettings(format="console", level="error"), workload="crowd", stream=sys.stderr)
    progress = Progress()

    async def work() -> None:
        async with sandbox_environment(report=progress.step, limits=Limits.off()) as environment:
            settings = DatabaseSettings(url=SecretStr(environment.settings["QUESTBELL_DATABASE_URL"]), pool_size=POOL)
            async with database.engine(settings, application_name="crowd", timing=Timing()) as engine:
                await _measure(environment, database.sessions(engine), games, timedelta(seconds=lead), progress)

    process.run(process.run_until_signalled(work))


async def _measure(
    environment: SandboxEnvironment, sessions: Sessions, games: int, lead: timedelta, progress: Progress
) -> None:
    world = environment.discord.world
    guild = next(iter(world.guilds.values()))
    channels = [world.add_channel(guild, f"table-{number}").id for number in range(CHANNELS)]
    host = next(member.user.id for member in guild.members.values() if not member.user.bot)
    async with database.transaction(sessions) as session:
        first = await database.now(session) + lead + OFFSET
    waiting = asyncio.Semaphore(POOL)
    began = time.monotonic()

    async def create(number: int) -> float:
        new = _new_game(guild.id, channels[number % CHANNELS], host, number, first + number / games * SPREAD)
        async with waiting:
            asked = time.monotonic()
            async with database.transaction(sessions) as session:
                await create_game(session, new)
            return time.monotonic() - asked

    took = await asyncio.gather(*(create(number) for number in range(games)))
    seconds = time.monotonic() - began
    if seconds > lead.total_seconds():
        raise BenchmarkError(f"making the games took {seconds:.0f} s, so some reminders were in the past: raise --lead")
    progress.step(f"{games} games made in {seconds:.1f} s, {games / seconds:.0f} per second; each: {_spread(took)}")
    for kind in (NotificationKind.ANNOUNCEMENT, NotificationKind.REMINDER):
        while await _count_undelivered(sessions, kind):  # noqa: ASYNC110 -- only the database knows
            await asyncio.sleep(CHECK_INTERVAL)
        late = await _latencies(sessions, kind)
        progress.step(f"{len(late)} of {games} {kind}s delivered, from due to settled: {_spread(late)}")


def _new_game(guild_id: int, channel_id: int, host_id: int, number: int, starts_at: datetime) -> NewGame:
    return NewGame(
        guild_id=guild_id,
        channel_id=channel_id,
        host_id=host_id,
        title=f"Game {number}",
        scheduled_at=starts_at,
        zone="UTC",
        duration=timedelta(hours=1),
        reminder_offsets=(OFFSET // timedelta(minutes=1),),
    )


async def _count_undelivered(sessions: Sessions, kind: NotificationKind) -> int:
    async with database.transaction(sessions) as session:
        is_open = select(func.count()).where(Row.kind == kind, Row.settled_at.is_(None))
        return (await session.execute(is_open)).scalar_one()


async def _latencies(sessions: Sessions, kind: NotificationKind) -> Sequence[float]:
    """Return the seconds from due to settled."""
    async with database.transaction(sessions) as session:
        latency = func.extract("epoch", Row.settled_at - Row.due_at)
        delivered = select(latency).where(Row.kind == kind, Row.outcome == Outcome.DELIVERED)
        return [float(seconds) for seconds in await session.scalars(delivered)]


def _spread(seconds: Sequence[float]) -> str:
    spread = milliseconds(seconds)
    return f"p50 {spread['p50']:,.0f} ms, p99 {spread['p99']:,.0f} ms, at most {spread['max']:,.0f} ms"


if __name__ == "__main__":
    main()
