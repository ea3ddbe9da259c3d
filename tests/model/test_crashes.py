"""A process dies at each of its statements and commits in turn, and its work is done all the same."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from controllers.loops.sources import STATUS_TRANSITIONS
from tests.model.discord import Answer
from tests.model.judge import judge
from tests.model.scenarios import DAY, JONAS, MIA, MINUTE, STARTS_IN, announced, offered
from tests.model.world import WANTS_DM, World

Action = Callable[[World, int], Awaitable[bool]]
"""Does something in which a process dies at a statement; returns whether it survived."""
MOST_STATEMENTS = 100


async def a_game_is_announced(world: World, statement: int) -> bool:
    game_id = await world.actions.create(STARTS_IN, (10,), (MIA,))
    await world.controllers.dispatch()
    survived = await world.bots.handle(*world.broker.ready, dies_after=statement)
    await world.actions.join(game_id, JONAS)
    return survived


async def players_are_reminded_and_one_accepts_no_dms(world: World, statement: int) -> bool:
    await announced(world, [MIA, WANTS_DM])
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    return await world.bots.handle(*world.broker.ready, dm_answers=[Answer.REFUSED], dies_after=statement)


async def an_old_attempt_is_looked_for(world: World, statement: int) -> bool:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    await world.bots.handle(*world.broker.ready, answers=[Answer.DONE_DIES])
    await world.pass_time(3 * MINUTE)
    return await world.bots.handle(*world.broker.ready, dies_after=statement)


async def a_game_begins(world: World, statement: int) -> bool:
    await announced(world)
    await world.pass_time(STARTS_IN)
    await world.controllers.dispatch(STATUS_TRANSITIONS)
    return await world.bots.handle(*world.broker.ready, dies_after=statement)


async def due_rows_are_published(world: World, statement: int) -> bool:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    return await world.controllers.dispatch(dies_after=statement)


async def a_dead_letter_is_published_again(world: World, statement: int) -> bool:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    await world.pass_time(timedelta(minutes=10))
    return await world.controllers.reconcile(dies_after=statement)


async def an_offer_lapses(world: World, statement: int) -> bool:
    await offered(world, JONAS, WANTS_DM)
    await world.controllers.dispatch()
    return await world.bots.handle(*world.broker.ready, dies_after=statement)


async def a_game_is_moved(world: World, statement: int) -> bool:
    game_id = await announced(world)
    return await world.actions.reschedule(game_id, STARTS_IN + DAY, dies_after=statement)


@pytest.mark.parametrize(
    "action",
    [
        a_game_is_announced,
        players_are_reminded_and_one_accepts_no_dms,
        an_old_attempt_is_looked_for,
        a_game_begins,
        due_rows_are_published,
        a_dead_letter_is_published_again,
        an_offer_lapses,
        a_game_is_moved,
    ],
    ids=lambda action: action.__name__,
)
async def test_nothing_is_lost_or_doubled_by_a_crash_at_any_statement(action: Action, world: World) -> None:
    for statement in itertools.count(1):
        await world.reset()
        survived = await action(world, statement)
        await world.settle_everything()
        judge(world.history)
        if survived:
            break
    assert 3 < statement < MOST_STATEMENTS, f"it died {statement - 1} times"
