"""`python -m benchmarks.limits`: how much of Discord's limit for all bots the bot uses, and how often it is refused.

The sandbox Discord accepts 50 requests in a second, and five messages in five seconds in a channel. The fewest seconds
in which it can accept the reminders are known, and every 429 is a request too many.
"""

from __future__ import annotations

import sys

import asyncpg
import click

from benchmarks import rows
from sandbox.demo.environment import SandboxEnvironment, sandbox_environment
from sandbox.demo.progress import Progress
from sandbox.discord.rate_limits import Limits, Window
from shared import logs, process
from shared.settings import LogSettings

GLOBAL = Window(50, 1.0)


@click.command()
@click.option("--reminders", type=click.IntRange(10), default=2_000, show_default=True)
@click.option("--channels", type=click.IntRange(1), default=200, show_default=True)
def main(reminders: int, channels: int) -> None:
    """Deliver many reminders at once to a Discord with limits, and print how well they were used."""
    logs.configure(LogSettings(format="console", level="error"), workload="limits", stream=sys.stderr)
    progress = Progress()

    async def work() -> None:
        async with sandbox_environment(report=progress.step, limits=Limits(every_request=GLOBAL)) as environment:
            progress.step(await _measure(environment, reminders, channels))

    process.run(process.run_until_signalled(work))


async def _measure(environment: SandboxEnvironment, reminders: int, channels: int) -> str:
    world = environment.discord.world
    guild = next(iter(world.guilds.values()))
    channel_ids = [world.add_channel(guild, f"table-{number}").id for number in range(channels)]
    connection = await asyncpg.connect(environment.settings["QUESTBELL_DATABASE_URL"].replace("+asyncpg", "", 1))
    try:
        await rows.fill_guilds(connection)
        due = await rows.fill_due(connection, reminders, channel_ids=channel_ids, analyze=True)
        await rows.until_settled(connection, due)
    finally:
        await connection.close()
    sent = sorted(record.wall for record in environment.discord.evidence if record.kind == "create")
    seconds, least = sent[-1] - due.due_at.timestamp(), reminders / GLOBAL.limit * GLOBAL.seconds
    return (
        f"{len(sent)} of {reminders} messages in {seconds:.1f} s, at least {least:.1f} s: {least / seconds:.0%} "
        f"of the limit; refused: {dict(environment.discord.refused)}"
    )


if __name__ == "__main__":
    main()
