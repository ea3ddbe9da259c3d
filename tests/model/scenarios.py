"""One short run for each line of docs/states.md, which shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from controllers.loops.sources import NOTIFICATIONS, STATUS_TRANSITIONS, ClaimedRow
from shared.errors import PermanentError
from shared.messaging.envelope import AnyEvent
from shared.models import NotificationKind
from tests.model.broker import Fate
from tests.model.discord import Answer
from tests.model.stage import BOTS
from tests.model.state import Row
from tests.model.world import WANTS_DM, World

A, B = BOTS
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
STARTS_IN = timedelta(hours=2)
MIA, JONAS = 1, 2

Scenario = Callable[[World], Awaitable[None]]
SCENARIOS: dict[str, Scenario] = {}


def shows(*lines: str) -> Callable[[Scenario], Scenario]:
    """Enter a run by the lines that it shows."""

    def entered(scenario: Scenario) -> Scenario:
        for line in lines:
            assert line not in SCENARIOS, f"{line} has a run already"
            SCENARIOS[line] = scenario
        return scenario

    return entered


async def announced(world: World, players: Sequence[int] = (MIA, JONAS), offsets: Sequence[int] = (10,)) -> UUID:
    """A session in two hours whose post stands."""
    game_id = await world.hosts.create(STARTS_IN, offsets, players)
    await told_now(world)
    return game_id


async def told_now(world: World, *answers: Answer, directly: Sequence[Answer] = ()) -> None:
    """What is due is published and told."""
    await world.controllers.dispatch()
    await world.bots.tell(*world.broker.ready, answers=answers, directly=directly)


async def told_next(world: World, *answers: Answer, directly: Sequence[Answer] = ()) -> None:
    """What is due next is published and told when its time has come."""
    await world.pass_time_to_the_next_attempt()
    await told_now(world, *answers, directly=directly)


async def reminded(world: World, *answers: Answer, players: Sequence[int] = (MIA, JONAS)) -> UUID:
    """A session whose post stands and whose reminder was told with these answers."""
    game_id = await announced(world, players)
    await told_next(world, *answers)
    return game_id


def reminder(world: World, number: int = -1) -> Row:
    """A reminder that was written, the last unless told."""
    return [row for row in world.model.rows.values() if row.what == NotificationKind.REMINDER][number]


@shows("written", "opened", "taken", "sent", "shown", "published")
async def a_session_is_announced(world: World) -> None:
    await announced(world)


@shows("told")
async def a_reminder_is_told(world: World) -> None:
    await reminded(world)


@shows("kept")
async def a_session_is_moved_to_the_same_time(world: World) -> None:
    await world.hosts.reschedule(await announced(world), STARTS_IN)


@shows("superseded")
async def a_session_is_moved(world: World) -> None:
    await world.hosts.reschedule(await announced(world), STARTS_IN + DAY)


@shows("reopened")
async def a_session_is_moved_away_and_back(world: World) -> None:
    game_id = await announced(world)
    for starts_in in (STARTS_IN + DAY, STARTS_IN):
        await world.hosts.reschedule(game_id, starts_in)


@shows("unpublished")
async def a_publish_fails_in_each_way(world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    for fate in (Fate.UNROUTABLE, Fate.FAILED, Fate.UNHEARD):
        await world.controllers.dispatch(fates=[fate])
        await world.pass_time_to_the_next_attempt()


@shows("queue_full")
async def a_queue_is_full(world: World) -> None:
    await world.hosts.create(STARTS_IN, (10,))
    await world.controllers.dispatch(fates=[Fate.FULL])


@shows("unbuildable")
async def no_event_can_be_made_of_a_row(world: World) -> None:
    def fails(_: ClaimedRow) -> tuple[AnyEvent, int | None]:
        raise PermanentError("nobody knows what this is")

    await world.hosts.create(STARTS_IN, (10,))
    await world.controllers.dispatch_unbuildable(replace(NOTIFICATIONS, build=fails))


@shows("rearmed")
async def the_broker_loses_its_disk(world: World) -> None:
    await world.hosts.create(STARTS_IN, (10,))
    await world.controllers.dispatch()
    await world.controllers.lose_the_broker()


@shows("revived", "expired")
async def a_reminder_outlives_its_game_in_the_queue(world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    await world.pass_time(11 * MINUTE)
    await world.controllers.reconcile()
    await world.bots.tell(*world.broker.ready)


@shows("dropped", "postponed", "unclear")
async def a_dead_copy_has_its_failure_recorded(world: World) -> None:
    await reminded(world, Answer.LOST)
    await world.controllers.reconcile()


@shows("outlived", "ignored")
async def a_copy_is_doubled_twice(world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    first, second, third = world.broker.doubled(times=3)
    await world.bots.tell(first)
    await world.bots.tell(second)
    await world.pass_time(10 * MINUTE)
    assert world.broker.dead == [third]
    await world.controllers.reconcile()


@shows("moved")
async def a_reminder_is_of_an_older_version(world: World) -> None:
    await announced(world)
    await world.write_as_an_older_version(reminder(world).id)
    await told_next(world)


@shows("overtaken")
async def two_reminders_are_overdue(world: World) -> None:
    await announced(world, offsets=(60, 10))
    await world.pass_time(110 * MINUTE)
    await told_now(world)


@shows("held")
async def a_second_bot_meets_a_lease(world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    first, second = world.broker.doubled(times=2)
    await world.bots.tell(first, by=A, answers=[Answer.HELD])
    await world.bots.tell(second, by=B)
    await world.bots.thaw(A)


@shows("too_late")
async def a_bot_hears_of_its_try_when_another_has_the_turn(world: World) -> None:
    for told in (Answer.REFUSED, Answer.POSTPONED, Answer.LOST):
        await world.begin()
        await announced(world)
        await world.pass_time_to_the_next_attempt()
        await world.controllers.dispatch()
        first, second = world.broker.doubled(times=2)
        await world.bots.tell(first, by=A, answers=[Answer.HELD])
        await world.pass_time(9 * SECOND)
        await world.bots.tell(second, by=B, answers=[Answer.HELD])
        await world.bots.thaw(A, told)
        await world.bots.thaw(B)


@shows("waiting", "taken_again")
async def a_second_try_may_still_appear(world: World) -> None:
    await reminded(world, Answer.LOST)
    await world.pass_time(50 * SECOND)
    await told_now(world, Answer.LOST)
    await world.pass_time(11 * SECOND)
    await told_now(world)


@shows("aging")
async def who_is_told_directly_leaves_after_a_lost_try(world: World) -> None:
    game_id = await announced(world, [WANTS_DM])
    await told_next(world, directly=[Answer.LOST])
    await world.hosts.leave(game_id, WANTS_DM)
    for _ in ("the post", "the reminder"):
        await told_next(world)


@shows("again", "absent")
async def an_old_try_never_arrived(world: World) -> None:
    await reminded(world, Answer.DIES)
    await world.pass_time(3 * MINUTE)
    await told_now(world)


@shows("found")
async def an_old_try_arrived(world: World) -> None:
    await reminded(world, Answer.TAKEN_DIES)
    await world.pass_time(3 * MINUTE)
    await told_now(world)


@shows("undecidable")
async def nobody_can_tell_of_an_old_try(world: World) -> None:
    await reminded(world, Answer.TAKEN_DIES)
    await world.pass_time(3 * MINUTE)
    await world.bots.tell(world.broker.ready[0], answers=[Answer.BLIND])


@shows("asked")
async def discord_asks_for_a_pause(world: World) -> None:
    await reminded(world, Answer.ASKED)


@shows("paused")
async def discord_asks_a_bot_to_be_slower(world: World) -> None:
    await world.hosts.create(STARTS_IN, (10,))
    await told_now(world, Answer.TOO_MANY)
    await world.hosts.create(STARTS_IN, (10,))
    await told_now(world)


@shows("given_back")
async def discord_refuses_for_now(world: World) -> None:
    await reminded(world, Answer.POSTPONED)


@shows("doubtful")
async def discord_refuses_for_now_after_a_lost_try(world: World) -> None:
    await reminded(world, Answer.LOST)
    await told_next(world, Answer.POSTPONED)


@shows("failed")
async def discord_refuses_for_good(world: World) -> None:
    await reminded(world, Answer.REFUSED)


@shows("redirected")
async def direct_messages_are_closed(world: World) -> None:
    await announced(world, [WANTS_DM])
    await told_next(world, directly=[Answer.REFUSED])


@shows("left")
async def who_is_told_directly_leaves_before_it(world: World) -> None:
    game_id = await announced(world, [WANTS_DM])
    await told_next(world, directly=[Answer.POSTPONED])
    await world.hosts.leave(game_id, WANTS_DM)
    for _ in ("the post", "the reminder"):
        await told_next(world)


@shows("outdated")
async def a_player_joins_while_the_post_is_on_its_way(world: World) -> None:
    game_id = await world.hosts.create(STARTS_IN, (10,))
    await told_now(world, Answer.HELD)
    await world.hosts.join(game_id, MIA)
    await world.bots.thaw(A)


async def changed(world: World, *answers: Answer) -> UUID:
    """A session whose post stands, a player who joins, and the edit that this asks for."""
    game_id = await announced(world)
    await world.hosts.join(game_id, 3)
    await told_now(world, *answers)
    return game_id


@shows("refused")
async def a_post_cannot_be_edited(world: World) -> None:
    await changed(world, Answer.REFUSED)


@shows("reposted")
async def a_post_was_deleted(world: World) -> None:
    await changed(world, Answer.GONE)


@shows("deleted")
async def the_post_of_a_cancelled_session_was_deleted(world: World) -> None:
    await world.hosts.cancel(await announced(world))
    await told_now(world, Answer.GONE)


@shows("unposted")
async def a_session_cannot_be_announced(world: World) -> None:
    await world.hosts.create(STARTS_IN, (10,))
    await told_now(world, Answer.REFUSED)


@shows("applied", "passed")
async def a_session_ends_before_it_begins(world: World) -> None:
    await announced(world)
    await world.pass_time(timedelta(hours=6))
    await world.controllers.dispatch(STATUS_TRANSITIONS)
    begun, over = world.broker.ready
    await world.bots.tell(over)
    await world.bots.tell(begun)


@shows("purged")
async def a_row_was_settled_long_ago(world: World) -> None:
    await reminded(world)
    await world.pass_time(31 * DAY)
    await world.controllers.purge()
