"""Orders of events that went wrong once, or that are easy to get wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from controllers.loops.sources import STATUS_TRANSITIONS
from shared.models import DeliveryState, Outcome
from tests.model.discord import Answer
from tests.model.environment import HOST
from tests.model.judge import judge
from tests.model.scenarios import (
    JONAS,
    MIA,
    MINUTE,
    SECOND,
    STARTS_IN,
    A,
    B,
    announced,
    deliver_next,
    deliver_now,
    offered,
    reminded,
    reminder,
)
from tests.model.world import WANTS_DM, World

NEWCOMER = 3


async def two_bots_get_the_same_message_and_one_waits_for_the_lease(world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    first, second = world.broker.repeat(times=2)
    await world.bots.handle(first, by=A, answers=[Answer.HELD])
    await world.bots.handle(second, by=B)
    await world.bots.answer_held(A)


async def a_message_arrives_after_its_row_was_settled(world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    first, second, _ = world.broker.repeat(times=3)
    await world.bots.handle(first)
    await world.bots.handle(second)
    await world.pass_time(10 * MINUTE)
    await world.controllers.reconcile()


async def a_second_attempt_may_still_appear_when_the_first_is_looked_for(world: World) -> None:
    await reminded(world, Answer.LOST)
    await world.pass_time(50 * SECOND)
    await deliver_now(world, Answer.LOST)
    await world.pass_time(11 * SECOND)
    await deliver_now(world)


async def an_old_attempt_is_found_in_the_channel(world: World) -> None:
    await reminded(world, Answer.DONE_DIES)
    await world.pass_time(3 * MINUTE)
    await deliver_now(world)


async def a_player_leaves_after_a_dm_that_may_have_been_sent(world: World) -> None:
    game_id = await announced(world, [WANTS_DM])
    await deliver_next(world, dm_answers=[Answer.LOST])
    await world.actions.leave(game_id, WANTS_DM)
    for _ in ("the announcement", "the reminder"):
        await deliver_next(world)


async def discord_names_the_time_of_the_next_attempt(world: World) -> None:
    await reminded(world, Answer.POSTPONED_5_S)


async def discord_limits_one_bot_after_an_attempt_that_may_have_been_sent(world: World) -> None:
    await reminded(world, Answer.LOST)
    await deliver_next(world, Answer.POSTPONED)


async def two_reminders_are_overdue(world: World) -> None:
    await announced(world, offsets=(60, 10))
    await world.pass_time(110 * MINUTE)
    await deliver_now(world)


async def a_player_joins_while_the_announcement_is_being_sent(world: World) -> None:
    game_id = await world.actions.create(STARTS_IN, (10,))
    await deliver_now(world, Answer.HELD)
    await world.actions.join(game_id, MIA)
    await world.bots.answer_held(A)


async def changed(world: World, *answers: Answer) -> None:
    """Announce a game, let a player join, and answer the edit that this needs."""
    game_id = await announced(world)
    await world.actions.join(game_id, NEWCOMER)
    await deliver_now(world, *answers)


async def an_announcement_cannot_be_edited(world: World) -> None:
    await changed(world, Answer.REFUSED)


async def an_announcement_was_deleted(world: World) -> None:
    await changed(world, Answer.GONE)


async def the_announcement_of_a_cancelled_game_was_deleted(world: World) -> None:
    await world.actions.cancel(await announced(world))
    await deliver_now(world, Answer.GONE)


async def a_game_cannot_be_announced(world: World) -> None:
    await world.actions.create(STARTS_IN, (10,))
    await deliver_now(world, Answer.REFUSED)


async def a_game_ends_before_it_begins(world: World) -> None:
    await announced(world)
    await world.pass_time(3 * STARTS_IN)
    await world.controllers.dispatch(STATUS_TRANSITIONS)
    begun, over = world.broker.ready
    await world.bots.handle(over)
    await world.bots.handle(begun)


async def offers_lapse_one_after_another(world: World) -> None:
    await offered(world, JONAS, NEWCOMER)
    await deliver_now(world)
    await world.pass_time(20 * MINUTE)
    await deliver_now(world)


@pytest.mark.parametrize(
    "order",
    [
        two_bots_get_the_same_message_and_one_waits_for_the_lease,
        a_message_arrives_after_its_row_was_settled,
        a_second_attempt_may_still_appear_when_the_first_is_looked_for,
        an_old_attempt_is_found_in_the_channel,
        a_player_leaves_after_a_dm_that_may_have_been_sent,
        discord_names_the_time_of_the_next_attempt,
        discord_limits_one_bot_after_an_attempt_that_may_have_been_sent,
        two_reminders_are_overdue,
        a_player_joins_while_the_announcement_is_being_sent,
        an_announcement_cannot_be_edited,
        an_announcement_was_deleted,
        the_announcement_of_a_cancelled_game_was_deleted,
        a_game_cannot_be_announced,
        a_game_ends_before_it_begins,
        offers_lapse_one_after_another,
    ],
    ids=lambda order: order.__name__,
)
async def test_nothing_is_lost_or_doubled_when(order: Callable[[World], Awaitable[None]], world: World) -> None:
    await order(world)
    await world.settle_everything()
    judge(world.history)


async def test_a_rate_limited_bot_defers_what_it_handles_next(world: World) -> None:
    await world.actions.create(STARTS_IN, (10,))
    await deliver_now(world, Answer.RATE_LIMITED)
    await world.actions.create(STARTS_IN, (10,))
    await deliver_now(world)
    assert world.discord.created == []


async def test_a_reminder_of_an_older_version_is_not_sent(world: World) -> None:
    await announced(world)
    await world.write_as_an_older_version(reminder(world).id)
    await deliver_next(world)
    assert reminder(world).outcome is Outcome.SUPERSEDED
    assert len(world.discord.created) == 1


async def test_an_overdue_reminder_is_sent_although_its_game_was_moved_to_the_same_time(world: World) -> None:
    game_id = await announced(world)
    await world.pass_time(115 * MINUTE)
    await world.actions.reschedule(game_id, STARTS_IN - 115 * MINUTE)
    await world.settle_everything()
    judge(world.history)
    assert reminder(world).outcome is Outcome.DELIVERED


async def test_an_announcement_that_was_found_in_the_channel_shows_who_joined_later(world: World) -> None:
    game_id = await world.actions.create(STARTS_IN, (10,), (MIA,))
    await deliver_now(world, Answer.DONE_DIES)
    await world.actions.join(game_id, JONAS)
    await world.pass_time(3 * MINUTE)
    await world.settle_everything()
    judge(world.history)


async def test_an_edit_that_arrives_after_a_later_one_is_repaired(world: World) -> None:
    game_id = await announced(world)
    await world.actions.join(game_id, 3)
    await world.controllers.dispatch()
    first, second = world.broker.repeat(times=2)
    await world.bots.handle(first, by=A, answers=[Answer.HELD])
    await world.actions.join(game_id, 4)
    await world.bots.handle(second, by=B)
    await world.bots.answer_held(A)
    await world.settle_everything()
    judge(world.history)


@pytest.mark.parametrize("answer", [Answer.YES, Answer.REFUSED, Answer.GONE])
async def test_a_row_keeps_its_first_outcome(answer: Answer, world: World) -> None:
    await world.actions.join(await announced(world), 3)
    await world.controllers.dispatch()
    first, second = world.broker.repeat(times=2)
    await world.bots.handle(first, by=A, answers=[Answer.HELD])
    await world.bots.handle(second, by=B)
    await world.pass_time(SECOND)
    await world.bots.answer_held(A, answer)
    await world.settle_everything()
    judge(world.history)


@pytest.mark.parametrize("first", [Answer.HELD, Answer.DONE_HELD])
async def test_a_yes_counts_although_another_bot_was_refused_in_the_meantime(first: Answer, world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    message, repeated = world.broker.repeat(times=2)
    await world.bots.handle(message, by=A, answers=[first])
    await world.pass_time(9 * SECOND)
    await world.bots.handle(repeated, by=B, answers=[Answer.REFUSED])
    await world.bots.answer_held(A)
    [delivery] = world.history.ledger(reminder(world).id)
    assert delivery.state is DeliveryState.SENT


@pytest.mark.parametrize("late", [Answer.REFUSED, Answer.POSTPONED, Answer.LOST])
async def test_a_result_is_ignored_when_another_bot_has_the_lease(late: Answer, world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    first, second = world.broker.repeat(times=2)
    await world.bots.handle(first, by=A, answers=[Answer.HELD])
    await world.pass_time(9 * SECOND)
    await world.bots.handle(second, by=B, answers=[Answer.HELD])
    before = world.history.ledger(reminder(world).id)
    await world.bots.answer_held(A, late)
    assert world.history.ledger(reminder(world).id) == before
    await world.bots.answer_held(B)
    await world.settle_everything()
    judge(world.history)


@pytest.mark.parametrize(
    ("first", "pinged"),
    [(Answer.POSTPONED, {MIA, NEWCOMER}), (Answer.LOST, {MIA}), (Answer.DONE_LOST, {MIA, JONAS})],
    ids=["surely not sent", "perhaps sent", "sent"],
)
async def test_a_later_attempt_pings_the_roster_but_no_newcomer_who_may_be_pinged_twice(
    first: Answer, pinged: set[int], world: World
) -> None:
    game_id = await announced(world, [MIA, JONAS])
    await deliver_next(world, first)
    await world.actions.leave(game_id, JONAS)
    await world.actions.join(game_id, NEWCOMER)
    await world.settle_everything()
    judge(world.history)
    [message] = [message for message in world.discord.created if message.pings]
    assert message.pings == pinged | {HOST}


async def test_the_first_announcement_of_a_game_that_has_begun_is_found_and_not_sent_again(world: World) -> None:
    await announced(world)
    await world.actions.create(MINUTE, (), (MIA,))
    await world.pass_time(2 * MINUTE)
    await world.controllers.dispatch(STATUS_TRANSITIONS)
    await world.bots.handle(*world.broker.ready)
    await deliver_now(world, Answer.DONE_DIES)
    await world.pass_time(3 * MINUTE)
    await world.settle_everything()
    judge(world.history)
