"""Plays one cell from its first session to its verdict."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sandbox.discord.server import SandboxDiscord
from shared import database
from shared.database import Sessions
from shared.errors import QuestbellError, TransientError
from tests.chaos import clocks, evidence, history, wishes
from tests.chaos.cells import Cell
from tests.chaos.demand import PATIENCE
from tests.chaos.facts import Case
from tests.chaos.ground import Ground
from tests.chaos.judge import judge
from tests.chaos.load import Shape, act, whims
from tests.chaos.scene import NONCE_WINDOW, TIMING, Casting, Scene, scene
from tests.chaos.sessions import CHANNELS, PEOPLE, Place, move
from tests.chaos.verdict import Verdict

BEFORE = 1.0
"""Seconds from the beginning of the fault to the first reminder."""
OBSERVED = 1.0
"""Seconds that everything must have been settled for: a second telling would come late."""
_ASKED_EVERY = 0.25


@dataclass(frozen=True)
class Result:
    """What came of a cell."""

    name: str
    seed: int
    seconds: float
    strikes: int
    verdict: Verdict
    skipped: str | None = None
    """Why it was not run, if it was not."""


async def run_cell(ground: Ground, name: str, cell: Cell, *, seed: int, log_directory: Path | None = None) -> Result:
    """Run a cell. The seed decides its sessions, changes of mind, and what chance there is in its fault.

    What its processes logged is kept in `log_directory`, if given.
    """
    began, strikes = time.monotonic(), 0
    dice = random.Random(f"{name} {seed}")
    verdict = Verdict()
    try:
        async with _set_up(ground, name, cell, dice) as (set_up, engine):
            verdict = await _play(set_up, cell, engine, dice)
            strikes = set_up.strikes
    except* QuestbellError as broken:
        verdict.problems.append(f"it could not be played: {broken.exceptions[0]}")
    if log_directory is not None:
        shutil.copytree(ground.directory / name, log_directory / name, dirs_exist_ok=True)
    if strikes == 0:
        verdict.problems.append("the fault never struck")
    return Result(name, seed, time.monotonic() - began, strikes, verdict)


@asynccontextmanager
async def _set_up(
    ground: Ground, name: str, cell: Cell, dice: random.Random
) -> AsyncIterator[tuple[Scene, AsyncEngine]]:
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(SandboxDiscord(nonce_window=NONCE_WINDOW))
        place = _furnish(discord, cell.shape, dice)
        made = await stack.enter_async_context(
            scene(ground, name, discord=discord, place=place, casting=_cast(cell), dice=dice)
        )
        engine = create_async_engine(made.database_url, pool_pre_ping=True)
        stack.push_async_callback(engine.dispose)
        yield made, engine


def _cast(cell: Cell) -> Casting:
    if cell.skews is None:
        return cell.casting
    return replace(cell.casting, environment={who: clocks.skewed(seconds) for who, seconds in cell.skews.items()})


async def _play(set_up: Scene, cell: Cell, engine: AsyncEngine, dice: random.Random) -> Verdict:
    sessions, clock = database.sessions(engine), asyncio.get_running_loop().time
    place, shape = set_up.place, cell.shape
    await asyncio.gather(*(workload.process.start() for workload in set_up.workloads))
    await wishes.ask(sessions, set_up.discord, place.wishes)
    moved = await move(sessions, place, dice, first=shape.first, spread=shape.spread)
    set_up.ends = clock() + shape.ends
    planned = [*whims(moved, place, dice), *wishes.changes(place.wishes, moved, dice)]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(act(sessions, planned))
        await asyncio.sleep(shape.first - BEFORE)
        await cell.fault(set_up)
        await asyncio.sleep(set_up.seconds_left)
    await _settled(set_up, sessions)
    return judge(await _case(set_up, cell, sessions))


async def _case(set_up: Scene, cell: Cell, sessions: Sessions) -> Case:
    return Case(
        facts=await history.read(sessions),
        made=evidence.made(set_up.discord),
        shown=evidence.shown(set_up.discord),
        wishes=set_up.place.wishes,
        afflicted=set_up.afflicted,
        healed_at=set_up.healed_at,
        late_arrivals=cell.late_arrivals,
        may_be_unknown=cell.may_be_unknown,
    )


def _furnish(discord: SandboxDiscord, shape: Shape, dice: random.Random) -> Place:
    """Make room for many sessions and their players."""
    world = discord.world
    guild = next(iter(world.guilds.values()))
    users = [world.add_user(f"Player {number}") for number in range(PEOPLE)]
    for user in users:
        world.add_member(guild, user)
    people = [user.id for user in users]
    channels = [world.add_channel(guild, f"table-{number}").id for number in range(CHANNELS)]
    channels[: shape.crowd] = [channels[0]] * shape.crowd
    return Place(guild.id, channels, people, wishes.draw(people, dice, unopened=shape.unopened))


async def _settled(set_up: Scene, sessions: Sessions) -> None:
    """Wait until nothing that is due is open, for a while; what takes too long is the judge's business."""
    clock = asyncio.get_running_loop().time
    limit = clock() + PATIENCE.total_seconds() + TIMING.settle_timeout
    since = clock()
    while clock() < min(limit, since + OBSERVED) or clock() == since:
        if await _surely(lambda: history.busy(sessions)):
            since = clock()
        await asyncio.sleep(_ASKED_EVERY)
        if clock() >= limit:
            return


async def _surely(ask: Callable[[], Awaitable[int]]) -> int:
    try:
        return await ask()
    except TransientError:
        return 1  # not known, so not yet
