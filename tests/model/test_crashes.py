"""A process dies at each of its statements and commits in turn, and what it was doing comes right all the same."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from controllers.loops.sources import STATUS_TRANSITIONS
from tests.model.discord import Answer
from tests.model.judge import judge
from tests.model.scenarios import DAY, JONAS, MIA, MINUTE, STARTS_IN, announced
from tests.model.world import WANTS_DM, World

Action = Callable[[World, int], Awaitable[bool]]
"""Does something in which a process dies at a statement; returns whether it lived on."""
MOST_STATEMENTS = 100


async def a_session_is_announced(world: World, statement: int) -> bool:
    game_id = await world.hosts.create(STARTS_IN, (10,), (MIA,))
    await world.controllers.dispatch()
    lived = await world.bots.tell(*world.broker.ready, dies_after=statement)
    await world.hosts.join(game_id, JONAS)
    return lived


async def players_are_reminded_and_one_directly_in_vain(world: World, statement: int) -> bool:
    await announced(world, [MIA, WANTS_DM])
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    return await world.bots.tell(*world.broker.ready, directly=[Answer.REFUSED], dies_after=statement)


async def an_old_try_is_looked_for(world: World, statement: int) -> bool:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    await world.bots.tell(*world.broker.ready, answers=[Answer.TAKEN_DIES])
    await world.pass_time(3 * MINUTE)
    return await world.bots.tell(*world.broker.ready, dies_after=statement)


async def a_session_begins(world: World, statement: int) -> bool:
    await announced(world)
    await world.pass_time(STARTS_IN)
    await world.controllers.dispatch(STATUS_TRANSITIONS)
    return await world.bots.tell(*world.broker.ready, dies_after=statement)


async def what_is_due_is_published(world: World, statement: int) -> bool:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    return await world.controllers.dispatch(dies_after=statement)


async def a_dead_copy_is_published_again(world: World, statement: int) -> bool:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    await world.pass_time(timedelta(minutes=10))
    return await world.controllers.reconcile(dies_after=statement)


async def a_session_is_moved(world: World, statement: int) -> bool:
    game_id = await announced(world)
    return await world.hosts.reschedule(game_id, STARTS_IN + DAY, dies_after=statement)


@pytest.mark.parametrize(
    "action",
    [
        a_session_is_announced,
        players_are_reminded_and_one_directly_in_vain,
        an_old_try_is_looked_for,
        a_session_begins,
        what_is_due_is_published,
        a_dead_copy_is_published_again,
        a_session_is_moved,
    ],
    ids=lambda action: action.__name__,
)
async def test_a_crash_at_any_statement_is_made_good(action: Action, world: World) -> None:
    for statement in itertools.count(1):
        await world.begin()
        lived = await action(world, statement)
        await world.heal()
        judge(world.model)
        if lived:
            break
    assert 3 < statement < MOST_STATEMENTS, f"it died {statement - 1} times"
