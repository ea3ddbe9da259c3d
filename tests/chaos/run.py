"""Runs one scenario from its first game to the oracle's verdict."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncEngine

from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.default_world import OWNER
from sandbox.oracle import history
from sandbox.oracle.compare import compare
from sandbox.oracle.evidence_report import GameReport, report_games, write_reports
from sandbox.oracle.expected import DELIVERY_DEADLINE
from sandbox.oracle.facts import CLOCK_TOLERANCE, DatabaseFacts, Evidence, LostCommits, ReminderWishes
from sandbox.oracle.lost_commits import join_histories
from sandbox.oracle.observed import created_messages, final_text
from sandbox.oracle.verdict import Verdict
from sandbox.servers.postgres import database_url
from shared import database
from shared.database import Sessions
from shared.errors import QuestbellError, TransientError
from tests.chaos import clocks, dm_preferences
from tests.chaos.environment import Environment, connected, with_broker_cluster, with_pair
from tests.chaos.fixture import NONCE_WINDOW, TIMING, Fixture, Topology, fixture
from tests.chaos.games import CHANNELS, EXTRA, PEOPLE, WITH_EXTRA_WISHES, Guild, ask_for_extra_reminders, move
from tests.chaos.load_actions import LoadProfile, Snoozes, perform, plan_actions
from tests.chaos.scenarios import Scenario
from tests.chaos.seat_actions import plan_seat_actions

FAULT_LEAD = 1.0
"""Seconds from the beginning of the fault to the first reminder."""
SETTLED_FOR = 1.0
"""Seconds for which everything must have been settled: a second message would arrive late."""
_CHECK_INTERVAL = 0.25
_PROMOTED_TOLERANCE = timedelta(seconds=1)
"""A server that was just promoted is slow: between a game's change and the decision which of its reminders are past, a
reminder can become due."""


@dataclass(frozen=True)
class Result:
    """The result of a scenario. `reports` are about the games that went wrong. `skipped` is why it was not run, if it
    was not."""

    name: str
    seed: int
    seconds: float
    injections: int
    verdict: Verdict
    reports: Sequence[GameReport] = ()
    skipped: str | None = None


async def run_scenario(
    environment: Environment, name: str, scenario: Scenario, *, seed: int, log_directory: Path | None = None
) -> Result:
    """Run a scenario. The seed decides its games, the actions of people, and what is random in its fault.

    The logs of its processes are kept in `log_directory`, if given, and the reports about games beside them.
    """
    started, injections = time.monotonic(), 0
    rng = random.Random(f"{name} {seed}")
    verdict, reports = Verdict(), list[GameReport]()
    try:
        async with _set_up(environment, name, scenario, rng) as (running, engine):
            evidence = await _run(running, scenario, engine, rng)
            injections = running.injections
            verdict = compare(evidence)
            verdict.other_problems += [*running.problems, *scenario.check(running)]
            reports = report_games(verdict, evidence)
    except* QuestbellError as group:
        verdict.other_problems.append(f"it could not be run: {group.exceptions[0]}")
    if log_directory is not None:
        shutil.copytree(environment.directory / name, log_directory / name, dirs_exist_ok=True)
        reports = write_reports(reports, log_directory / name)
    if injections == 0:
        verdict.other_problems.append("the fault was never injected")
    return Result(name, seed, time.monotonic() - started, injections, verdict, reports)


@asynccontextmanager
async def _set_up(
    environment: Environment, name: str, scenario: Scenario, rng: random.Random
) -> AsyncIterator[tuple[Fixture, AsyncEngine]]:
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(SandboxDiscord(nonce_window=NONCE_WINDOW))
        guild = _add_guild(discord, scenario.load, rng)
        if scenario.pair is not None:
            environment = await stack.enter_async_context(
                with_pair(environment, f"{name}-pair", synchronous=scenario.pair == "synchronous")
            )
        if scenario.broker_cluster:
            environment = await stack.enter_async_context(with_broker_cluster(environment, f"{name}-brokers"))
        running = await stack.enter_async_context(
            fixture(environment, name, discord=discord, guild=guild, topology=_topology(scenario), rng=rng)
        )
        yield running, await stack.enter_async_context(connected(running.database_url))


def _topology(scenario: Scenario) -> Topology:
    skewed = {kind: clocks.skewed_environment(seconds) for kind, seconds in scenario.clock_skew.items()}
    return replace(scenario.topology, settings={**scenario.topology.settings, **skewed})


async def _run(running: Fixture, scenario: Scenario, engine: AsyncEngine, rng: random.Random) -> Evidence:
    sessions, guild, load = database.sessions(engine), running.guild, scenario.load
    await running.start_all()
    await dm_preferences.write(sessions, running.discord, guild.preferences, guild.people)
    games = await move(sessions, guild, rng, first=load.first, spread=load.spread)
    running.ends = asyncio.get_running_loop().time() + load.ends
    snoozes: Snoozes = {}
    since = await ask_for_extra_reminders(sessions, guild)
    actions = [
        *plan_actions(games, guild, rng, snoozes=None if scenario.pair else snoozes),  # a fail-over may lose them
        *plan_seat_actions(games, guild, rng),
        *dm_preferences.plan_changes(guild.preferences, games, rng),
    ]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(perform(sessions, actions))
        await asyncio.sleep(load.first - FAULT_LEAD)
        await scenario.fault(running)
        await asyncio.sleep(running.seconds_left)
    await _wait_until_settled(sessions, spread=load.spread)
    wishes = ReminderWishes(dict.fromkeys(guild.extra, EXTRA), since, snoozes)
    return await _evidence(running, scenario, sessions, wishes)


async def _evidence(running: Fixture, scenario: Scenario, sessions: Sessions, wishes: ReminderWishes) -> Evidence:
    facts, lost = await history.read_history(sessions), LostCommits()
    if (primary := await _lost_primary_facts(running)) is not None:
        facts, lost = join_histories(facts, primary)
    return Evidence(
        facts=facts,
        lost=lost,
        messages=created_messages(running.discord),
        final_text=final_text(running.discord),
        preferences=running.guild.preferences,
        wishes=wishes,
        affected=running.affected,
        fault_ended_at=running.fault_ended_at,
        late_arrivals=scenario.late_arrivals,
        unknown_allowed=scenario.unknown_allowed,
        clock_tolerance=_PROMOTED_TOLERANCE if scenario.pair else CLOCK_TOLERANCE,
    )


async def _lost_primary_facts(running: Fixture) -> DatabaseFacts | None:
    """Return what a primary knew that was lost in a fail-over."""
    pair, data = running.environment.pair, running.lost_primary
    if pair is None or data is None:
        return None
    name = urlsplit(running.database_url).path.removeprefix("/")
    async with pair.serving(data) as url, connected(database_url(url, name)) as engine:
        return await history.read_history(database.sessions(engine))


def _add_guild(discord: SandboxDiscord, load: LoadProfile, rng: random.Random) -> Guild:
    """Add the channels and the people of many games to Discord."""
    world = discord.world
    guilds = [*world.guilds.values()]
    guilds += [
        world.add_guild(f"Guild {number}", owner=OWNER, channels={"games": ()})
        for number in range(len(guilds), load.guilds)
    ]
    homes = [guilds[number * len(guilds) // CHANNELS] for number in range(CHANNELS)]
    users = [world.add_user(f"Player {number}") for number in range(PEOPLE)]
    for guild in {home.id: home for home in homes}.values():
        for user in users:
            world.add_member(guild, user)
    people = [user.id for user in users]
    channels = [world.add_channel(home, f"table-{number}") for number, home in enumerate(homes)]
    channels[: load.crowd] = [channels[0]] * load.crowd
    preferences = dm_preferences.draw(people, rng, unopened=load.unopened)
    return Guild(
        [channel.guild_id or 0 for channel in channels],
        [channel.id for channel in channels],
        people,
        preferences,
        extra=frozenset(rng.sample(people, WITH_EXTRA_WISHES)),
    )


async def _wait_until_settled(sessions: Sessions, *, spread: float) -> None:
    """Wait until nothing due has been open for a while; the oracle reports what takes too long.

    The games start one after another over `spread` seconds, perhaps just now.
    """
    clock = asyncio.get_running_loop().time
    limit = clock() + DELIVERY_DEADLINE.total_seconds() + TIMING.settle_timeout + spread
    settled_since = clock()
    while clock() < limit:
        if not await _is_settled(sessions):
            settled_since = clock()
        elif clock() >= settled_since + SETTLED_FOR:
            return
        await asyncio.sleep(_CHECK_INTERVAL)


async def _is_settled(sessions: Sessions) -> bool:
    try:
        return not await history.count_unsettled(sessions)
    except TransientError:
        return False
