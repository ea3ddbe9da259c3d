"""`python -m benchmarks.soak`: the memory of all processes under a steady load.

The load is what people do: they create, join, move and cancel games, which start and end. Resident
memory is read from the kernel; its trend is a line through the second half, since caches fill in the first.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from sandbox.demo.environment import SandboxEnvironment, sandbox_environment
from sandbox.demo.progress import Progress
from sandbox.demo.workload import Workload
from sandbox.discord.demo_script import CHANNEL
from sandbox.discord.rate_limits import Limits
from shared import database, logs, process
from shared.editing import GameEdit, edit_game
from shared.games import NewGame, cancel_game, create_game
from shared.settings import LogSettings
from shared.signup import join_game, leave_game

SAMPLE_EVERY = 5.0
"""Seconds."""
FLAT = 0.5
"""MiB a minute: more than that in the second half is growth."""


@dataclass
class Samples:
    """The resident memory of one process over time."""

    name: str
    at: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)

    def trend(self) -> float:
        """Return the growth in the second half, in MiB a minute, by least squares."""
        half = len(self.at) // 2
        at, mib = self.at[half:], self.mib[half:]
        middle, mean = sum(at) / len(at), sum(mib) / len(mib)
        spread = sum((x - middle) ** 2 for x in at)
        slope = sum((x - middle) * (y - mean) for x, y in zip(at, mib, strict=True)) / spread if spread else 0.0
        return slope * 60

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "first_mib": round(self.mib[0], 1),
            "middle_mib": round(self.mib[len(self.mib) // 2], 1),
            "last_mib": round(self.mib[-1], 1),
            "highest_mib": round(max(self.mib), 1),
            "trend_mib_per_minute": round(self.trend(), 3),
        }


@click.command()
@click.option("--minutes", type=float, default=20.0, show_default=True)
@click.option("--per-second", type=float, default=2.0, show_default=True, help="Games created a second.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("soak.json"))
def main(minutes: float, per_second: float, seed: int, output: Path) -> None:
    """Put a steady load on Questbell; exits 1 when the memory of a process grows."""
    logs.configure(LogSettings(format="console", level="error"), workload="soak", stream=sys.stderr)
    found: list[Samples] = []

    async def work() -> None:
        async with sandbox_environment(report=Progress().step, limits=Limits.off()) as environment:
            rng = random.Random(seed)
            found.extend(await _soak(environment, minutes=minutes, per_second=per_second, rng=rng))

    process.run(process.run_until_signalled(work))
    if not found:
        sys.exit(130)
    _show(found)
    output.write_text(json.dumps({samples.name: samples.as_json() for samples in found}, indent=2) + "\n")
    sys.exit(0 if all(samples.trend() < FLAT for samples in found) else 1)


async def _soak(
    environment: SandboxEnvironment, *, minutes: float, per_second: float, rng: random.Random
) -> list[Samples]:
    samples = {workload: Samples(workload.name) for workload in (environment.controllers, environment.bot)}
    ends = time.monotonic() + 60 * minutes
    async with asyncio.TaskGroup() as tasks:
        load = tasks.create_task(_load(environment, per_second=per_second, rng=rng))
        while time.monotonic() < ends:
            for workload, series in samples.items():
                series.at.append(time.monotonic())
                series.mib.append(_resident(workload))
            await asyncio.sleep(SAMPLE_EVERY)
        load.cancel()
    return list(samples.values())


async def _load(environment: SandboxEnvironment, *, per_second: float, rng: random.Random) -> None:
    async with asyncio.TaskGroup() as tasks:
        while True:
            tasks.create_task(_run_game(environment, rng))
            await asyncio.sleep(rng.expovariate(per_second))


async def _run_game(environment: SandboxEnvironment, rng: random.Random) -> None:
    """Create a game, let players join, and sometimes change it."""
    world = environment.discord.world
    guild = next(iter(world.guilds.values()))
    people = [member.user.id for member in guild.members.values() if not member.user.bot]
    channel = next(channel.id for channel in guild.channels.values() if channel.name == CHANNEL)
    async with database.transaction(environment.sessions) as session:
        starts_at = await database.now(session) + timedelta(seconds=62 + rng.uniform(0, 4))
        new = NewGame(
            guild_id=guild.id,
            channel_id=channel,
            host_id=people[0],
            title=f"Game {rng.randrange(10**9)}",
            scheduled_at=starts_at,
            zone="Europe/Berlin",
            duration=timedelta(seconds=5),
            reminder_offsets=(1, 0),
        )
        game = await create_game(session, new)
    for player in rng.sample(people, 3):
        async with database.transaction(environment.sessions) as session:
            await join_game(session, game.id, user_id=player)
    await asyncio.sleep(rng.uniform(0, 30))
    async with database.transaction(environment.sessions) as session:
        match rng.randrange(10):
            case 0:
                await cancel_game(session, game.id)
            case 1:
                await edit_game(session, game.id, GameEdit(scheduled_at=starts_at + timedelta(seconds=30)))
            case 2:
                await leave_game(session, game.id, user_id=people[1])
            case _:
                return


def _resident(workload: Workload) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{workload.pid}/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def _show(found: Sequence[Samples]) -> None:
    table = Table("process", "first MiB", "middle", "last", "highest", "MiB a minute", title="Memory under load")
    for samples in found:
        table.add_row(samples.name, *(str(value) for value in samples.as_json().values()))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
