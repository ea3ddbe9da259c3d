"""`python -m benchmarks.backlog`: the latency of reminders after an outage in channels near Discord's limit.

Discord accepts some five messages in five seconds in one channel. Reminders that became due meanwhile must not overtake
those that waited, or a few would be late by far more than the backlog.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta

import click
from sqlalchemy import delete, func, select

from sandbox.demo.environment import SandboxEnvironment, sandbox_environment
from sandbox.demo.progress import Progress
from sandbox.percentiles import percentile
from shared import database, logs, process
from shared.games import NewGame, create_game
from shared.models import NotificationKind, NotificationSchedule
from shared.settings import LogSettings
from shared.signup import join_game

Row = NotificationSchedule
CHANNELS = 3
LEAD = timedelta(seconds=50)
"""From the creation of the games to the first reminder."""
BEFORE = 12.0
"""Seconds for which reminders are delivered before the bot stops."""
OFFSET = timedelta(minutes=10)
CHECK_INTERVAL = 1.0


@click.command()
@click.option("--reminders", type=click.IntRange(10), default=180, show_default=True)
@click.option("--every", type=float, default=0.36, show_default=True, help="Seconds from one to the next.")
@click.option("--away", type=float, default=8.0, show_default=True, help="Seconds for which the bot is stopped.")
def main(reminders: int, every: float, away: float) -> None:
    """Stop the bot for a while and print the latency of the reminders."""
    logs.configure(LogSettings(format="console", level="error"), workload="backlog", stream=sys.stderr)
    progress = Progress()

    async def work() -> None:
        async with sandbox_environment(report=progress.step) as environment:
            progress.step(_line(await _late(environment, reminders, every=every, away=away)))

    process.run(process.run_until_signalled(work))


async def _late(environment: SandboxEnvironment, reminders: int, *, every: float, away: float) -> list[float]:
    """Return the latency of the reminders in seconds, in ascending order."""
    await _write(environment, reminders, every=every)
    await asyncio.sleep(LEAD.total_seconds() + BEFORE)
    await environment.bot.process.stop()
    await asyncio.sleep(away)
    await environment.bot.process.start()
    while await _count_open(environment):  # noqa: ASYNC110 -- only the database knows
        await asyncio.sleep(CHECK_INTERVAL)
    async with database.transaction(environment.sessions) as session:
        latency = select(func.extract("epoch", Row.settled_at - Row.due_at))
        return sorted(float(seconds) for seconds in await session.scalars(latency))


async def _write(environment: SandboxEnvironment, reminders: int, *, every: float) -> None:
    """Create games whose reminders are due one after the other; they are not announced."""
    world = environment.discord.world
    guild = next(iter(world.guilds.values()))
    channels = [world.add_channel(guild, f"table-{number}").id for number in range(CHANNELS)]
    host, player = [member.user.id for member in guild.members.values() if not member.user.bot][:2]
    async with database.transaction(environment.sessions) as session:
        first = await database.now(session) + LEAD + OFFSET
        for number in range(reminders):
            new = NewGame(
                guild_id=guild.id,
                channel_id=channels[number % CHANNELS],
                host_id=host,
                title=f"Game {number}",
                scheduled_at=first + timedelta(seconds=number * every),
                zone="UTC",
                duration=timedelta(hours=1),
                reminder_offsets=(OFFSET // timedelta(minutes=1),),
            )
            game = await create_game(session, new)
            await join_game(session, game.id, user_id=player)
        await session.execute(delete(Row).where(Row.kind != NotificationKind.REMINDER))


async def _count_open(environment: SandboxEnvironment) -> int:
    async with database.transaction(environment.sessions) as session:
        return (await session.execute(select(func.count()).where(Row.settled_at.is_(None)))).scalar_one()


def _line(late: Sequence[float]) -> str:
    p50, p99 = (percentile(late, place) for place in (0.5, 0.99))
    return f"{len(late)} reminders: latency p50 {p50:.1f} s, p99 {p99:.1f} s, at most {late[-1]:.1f} s"


if __name__ == "__main__":
    main()
