"""Orders of events that went wrong once, and are short enough to be told."""

from __future__ import annotations

import pytest

from controllers.loops.sources import STATUS_TRANSITIONS
from shared.models import DeliveryState, Outcome
from tests.model.discord import Answer
from tests.model.judge import judge
from tests.model.scenarios import JONAS, MIA, MINUTE, SECOND, STARTS_IN, A, B, announced, reminder, told_next, told_now
from tests.model.world import World

NEWCOMER = 3


async def test_an_overdue_reminder_is_told_although_its_session_was_moved_to_the_same_time(world: World) -> None:
    game_id = await announced(world)
    await world.pass_time(115 * MINUTE)
    await world.hosts.reschedule(game_id, STARTS_IN - 115 * MINUTE)
    await world.heal()
    judge(world.model)
    assert reminder(world).outcome is Outcome.DELIVERED


async def test_a_post_that_was_found_in_the_channel_shows_who_has_joined_since(world: World) -> None:
    game_id = await world.hosts.create(STARTS_IN, (10,), (MIA,))
    await told_now(world, Answer.TAKEN_DIES)
    await world.hosts.join(game_id, JONAS)
    await world.pass_time(3 * MINUTE)
    await world.heal()
    judge(world.model)


async def test_an_edit_that_arrives_after_a_later_one_is_not_what_stands(world: World) -> None:
    game_id = await announced(world)
    await world.hosts.join(game_id, 3)
    await world.controllers.dispatch()
    first, second = world.broker.doubled(times=2)
    await world.bots.tell(first, by=A, answers=[Answer.HELD])
    await world.hosts.join(game_id, 4)
    await world.bots.tell(second, by=B)
    await world.bots.thaw(A)
    await world.heal()
    judge(world.model)


@pytest.mark.parametrize("told", [Answer.YES, Answer.REFUSED, Answer.GONE])
async def test_the_first_outcome_of_a_row_stands(told: Answer, world: World) -> None:
    await world.hosts.join(await announced(world), 3)
    await world.controllers.dispatch()
    first, second = world.broker.doubled(times=2)
    await world.bots.tell(first, by=A, answers=[Answer.HELD])
    await world.bots.tell(second, by=B)
    await world.pass_time(SECOND)
    await world.bots.thaw(A, told)
    await world.heal()
    judge(world.model)


@pytest.mark.parametrize("first", [Answer.HELD, Answer.TAKEN_HELD])
async def test_a_yes_counts_although_another_bot_was_refused_meanwhile(first: Answer, world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    one, other = world.broker.doubled(times=2)
    await world.bots.tell(one, by=A, answers=[first])
    await world.pass_time(9 * SECOND)
    await world.bots.tell(other, by=B, answers=[Answer.REFUSED])
    await world.bots.thaw(A)
    [delivery] = world.model.ledger(reminder(world).id)
    assert delivery.state is DeliveryState.SENT


@pytest.mark.parametrize(
    ("first", "told"),
    [(Answer.POSTPONED, {MIA, NEWCOMER}), (Answer.LOST, {MIA}), (Answer.TAKEN_LOST, {MIA, JONAS})],
    ids=["surely not told", "perhaps told", "told"],
)
async def test_a_later_try_pings_who_is_there_and_no_newcomer_who_may_be_told_twice(
    first: Answer, told: set[int], world: World
) -> None:
    game_id = await announced(world, [MIA, JONAS])
    await told_next(world, first)
    await world.hosts.leave(game_id, JONAS)
    await world.hosts.join(game_id, NEWCOMER)
    await world.heal()
    judge(world.model)
    [message] = [made for made in world.discord.made if made.pings]
    assert message.pings == told


async def test_the_first_post_of_a_session_that_has_begun_is_found_and_not_made_again(world: World) -> None:
    await announced(world)
    await world.hosts.create(MINUTE, (), (MIA,))
    await world.pass_time(2 * MINUTE)
    await world.controllers.dispatch(STATUS_TRANSITIONS)
    await world.bots.tell(*world.broker.ready)
    await told_now(world, Answer.TAKEN_DIES)
    await world.pass_time(3 * MINUTE)
    await world.heal()
    judge(world.model)
