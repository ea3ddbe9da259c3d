"""Short runs that together show every transition of tests/support/transitions.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch
from uuid import UUID

from bot.consumers import transitions
from controllers.loops.sources import NOTIFICATIONS, STATUS_TRANSITIONS, ClaimedRow, ScheduleTable
from shared.errors import PermanentError, TransientError
from shared.messaging.envelope import AnyEvent
from shared.models import NotificationKind
from shared.series.lifecycle import end_series, pause_series, resume_series
from shared.series.rule import Frequency, Rule
from tests.model.actions import DURATION
from tests.model.broker import Fate
from tests.model.discord import Answer
from tests.model.environment import BOTS
from tests.model.state import Row
from tests.model.world import WANTS_DM, World

A, B = BOTS
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
STARTS_IN = timedelta(hours=2)
MIA, JONAS = 1, 2

Scenario = Callable[[World], Awaitable[None]]
SCENARIOS: dict[Scenario, set[str]] = {}
"""Each scenario with the keys of the transitions that it is there for."""
_TABLES = {"row": "notification_schedule", "status": "game_status_schedule", "delivery": "notification_delivery"}


def shows(**names: str) -> Callable[[Scenario], Scenario]:
    """Enter a scenario by the transitions that it shows: names, separated by spaces, for each table."""
    keys = {f"{_TABLES.get(table, table)}.{name}" for table, listed in names.items() for name in listed.split()}

    def entered(scenario: Scenario) -> Scenario:
        SCENARIOS[scenario] = keys
        return scenario

    return entered


async def announced(world: World, players: Sequence[int] = (MIA, JONAS), offsets: Sequence[int] = (10,)) -> UUID:
    """Create a game in two hours, and deliver its announcement."""
    game_id = await world.actions.create(STARTS_IN, offsets, players)
    await deliver_now(world)
    return game_id


async def deliver_now(world: World, *answers: Answer, dm_answers: Sequence[Answer] = ()) -> None:
    """Publish what is due, and handle it."""
    await world.controllers.dispatch()
    await world.bots.handle(*world.broker.ready, answers=answers, dm_answers=dm_answers)


async def deliver_next(world: World, *answers: Answer, dm_answers: Sequence[Answer] = ()) -> None:
    """Publish what is due next when its time has come, and handle it."""
    await world.pass_time_to_the_next_attempt()
    await deliver_now(world, *answers, dm_answers=dm_answers)


async def reminded(world: World, *answers: Answer, players: Sequence[int] = (MIA, JONAS)) -> UUID:
    """Announce a game, and deliver its reminder with these answers."""
    game_id = await announced(world, players)
    await deliver_next(world, *answers)
    return game_id


def reminder(world: World, number: int = -1) -> Row:
    """Return a reminder, the last one that was written unless said otherwise."""
    return [row for row in world.history.rows.values() if row.what == NotificationKind.REMINDER][number]


@shows(game="created changed", row="scheduled published delivered", status="scheduled", delivery="begun sent")
async def a_game_is_announced(world: World) -> None:
    await announced(world)


@shows(row="kept")
async def a_game_is_moved_back_while_its_reminder_may_have_been_sent(world: World) -> None:
    game_id = await reminded(world, Answer.LOST)
    starts_at = world.history.games[game_id].scheduled_at
    await world.actions.reschedule(game_id, STARTS_IN + DAY)
    await world.actions.reschedule(game_id, starts_at - world.history.now)


@shows(row="extended")
async def players_leave_while_the_host_is_being_told(world: World) -> None:
    game_id = await announced(world, [MIA, JONAS])
    await world.actions.leave(game_id, MIA)
    await deliver_next(world, dm_answers=[Answer.LOST])
    await world.actions.leave(game_id, JONAS)


@shows(row="handed_over")
async def a_game_that_needs_players_gets_another_host(world: World) -> None:
    game_id = await announced(world)
    await world.actions.require_players(game_id, 3)
    await world.actions.hand_over(game_id, MIA)


@shows(status="kept")
async def a_game_begins_later_and_ends_at_the_same_time(world: World) -> None:
    later = timedelta(minutes=30)
    await world.actions.reschedule(await announced(world), STARTS_IN + later, duration=DURATION - later)


@shows(row="superseded reopened", status="superseded")
async def a_game_is_moved_and_moved_back(world: World) -> None:
    game_id = await announced(world)
    for starts_in in (STARTS_IN + DAY, STARTS_IN):
        await world.actions.reschedule(game_id, starts_in)


@shows(row="publish_failed")
async def a_publish_fails_in_each_way(world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    for fate in (Fate.UNROUTABLE, Fate.FAILED, Fate.UNHEARD):
        await world.controllers.dispatch(fates=[fate])
        await world.pass_time_to_the_next_attempt()


@shows(status="publish_failed rescheduled")
async def a_status_transition_is_not_published_and_then_lost(world: World) -> None:
    await announced(world)
    await world.pass_time(STARTS_IN)
    await world.controllers.dispatch(STATUS_TRANSITIONS, fates=[Fate.FAILED])
    await world.pass_time(MINUTE)
    await world.controllers.dispatch(STATUS_TRANSITIONS)
    await world.controllers.lose_the_broker()


def unbuildable(table: ScheduleTable) -> ScheduleTable:
    """Return a table of whose rows no message can be built."""

    def fail(_: ClaimedRow) -> tuple[AnyEvent, int | None]:
        raise PermanentError("the row has an unknown kind")

    return replace(table, build=fail)


@shows(row="undeliverable", status="undeliverable")
async def no_message_can_be_built_of_a_row(world: World) -> None:
    await world.actions.create(STARTS_IN, (10,))
    await world.pass_time(STARTS_IN)
    await world.controllers.dispatch(unbuildable(NOTIFICATIONS))
    await world.controllers.dispatch(unbuildable(STATUS_TRANSITIONS))


@shows(row="rescheduled")
async def the_broker_loses_its_disk(world: World) -> None:
    await world.actions.create(STARTS_IN, (10,))
    await world.controllers.dispatch()
    await world.controllers.lose_the_broker()


@shows(row="expired")
async def a_reminder_stays_in_the_queue_until_its_game_has_begun(world: World) -> None:
    await announced(world)
    await world.pass_time_to_the_next_attempt()
    await world.controllers.dispatch()
    await world.pass_time(11 * MINUTE)
    await world.controllers.reconcile()
    await world.bots.handle(*world.broker.ready)


@shows(row="attempt_failed", delivery="uncertain")
async def an_answer_is_lost(world: World) -> None:
    await reminded(world, Answer.LOST)
    await world.controllers.reconcile()


@shows(delivery="restarted")
async def an_answer_is_lost_and_the_next_attempt_is_soon(world: World) -> None:
    await reminded(world, Answer.LOST)
    await world.pass_time(50 * SECOND)
    await deliver_now(world)


@shows(delivery="released")
async def an_old_attempt_is_not_in_the_channel(world: World) -> None:
    await reminded(world, Answer.DIES)
    await world.pass_time(3 * MINUTE)
    await deliver_now(world)


@shows(delivery="given_up")
async def an_old_attempt_cannot_be_looked_for(world: World) -> None:
    await reminded(world, Answer.DONE_DIES)
    await world.pass_time(3 * MINUTE)
    await world.bots.handle(world.broker.ready[0], answers=[Answer.BLIND])


@shows(delivery="failed")
async def discord_refuses_a_reminder(world: World) -> None:
    await reminded(world, Answer.REFUSED)


@shows(row="partly_delivered")
async def discord_refuses_the_channel_and_accepts_a_dm(world: World) -> None:
    await announced(world, [MIA, WANTS_DM])
    await deliver_next(world, Answer.REFUSED)


@shows(delivery="created started redirected")
async def a_player_accepts_no_dms(world: World) -> None:
    await announced(world, [WANTS_DM])
    await deliver_next(world, dm_answers=[Answer.REFUSED])


@shows(delivery="withdrawn")
async def a_game_begins_before_its_reminder_is_sent(world: World) -> None:
    await reminded(world, Answer.POSTPONED)
    await world.pass_time(12 * MINUTE)
    await deliver_now(world)


@shows(delivery="abandoned")
async def a_row_is_given_up_while_its_attempt_has_no_result(world: World) -> None:
    await reminded(world, Answer.LOST)
    await world.pass_time(2 * MINUTE)
    await world.controllers.dispatch(unbuildable(NOTIFICATIONS))


@shows(row="amended")
async def a_host_has_two_problems(world: World) -> None:
    await announced(world, offsets=(20, 10))
    await deliver_next(world, Answer.REFUSED)
    await world.pass_time(10 * MINUTE)
    await world.controllers.dispatch()
    last = max((reminder(world, 0), reminder(world, 1)), key=lambda row: row.due_at)
    for answer in (Answer.DONE_DIES, Answer.BLIND):
        messages = [message for message in world.broker.ready if message.event.row_id == last.id]
        await world.bots.handle(*messages, answers=[answer])
        await world.pass_time(3 * MINUTE)


async def offered(world: World, *waiting: int) -> None:
    """Announce a game with one seat, and offer the seat to the first who waits for 20 minutes, which have passed."""
    game_id = await announced(world, [MIA])
    await world.actions.limit_seats(game_id, 1)
    await world.actions.offer_seats(game_id, minutes=20)
    for player in waiting:
        await world.actions.join(game_id, player)
    await world.actions.leave(game_id, MIA)
    await deliver_now(world)
    await world.pass_time(20 * MINUTE)


@shows(row="lapsed")
async def a_player_does_not_take_an_offered_seat(world: World) -> None:
    await offered(world, JONAS)
    await deliver_now(world)


@shows(delivery="dropped")
async def a_player_leaves_before_a_dm_is_sent(world: World) -> None:
    game_id = await announced(world, [WANTS_DM])
    await deliver_next(world, dm_answers=[Answer.POSTPONED])
    await world.actions.leave(game_id, WANTS_DM)
    for _ in ("the announcement", "the reminder"):
        await deliver_next(world)


@shows(delivery="addressed")
async def a_player_leaves_before_a_reminder_is_sent(world: World) -> None:
    game_id = await reminded(world, Answer.POSTPONED)
    await world.actions.leave(game_id, JONAS)
    for _ in ("the announcement", "the reminder"):
        await deliver_next(world)


@shows(game="started completed", status="published applied")
async def a_game_begins_and_ends(world: World) -> None:
    await announced(world)
    for _ in ("the start", "the end"):
        await world.pass_time(3 * 60 * MINUTE)
        await world.controllers.dispatch(STATUS_TRANSITIONS)
        await world.bots.handle(*world.broker.ready)


@shows(row="scheduled published superseded reopened delivered", delivery="created started sent")
async def a_player_of_an_earlier_game_is_nudged(world: World) -> None:
    await announced(world)
    for _ in ("the start", "the end"):
        await world.pass_time(3 * 60 * MINUTE)
        await world.controllers.dispatch(STATUS_TRANSITIONS)
        await world.bots.handle(*world.broker.ready)
    game_id = await announced(world, players=(MIA,))
    await world.actions.nudge(game_id, 90)
    await world.actions.nudge(game_id, 60)
    for _ in ("the announcement", "the nudge"):
        await deliver_next(world)
    [nudge] = [row for row in world.history.rows.values() if row.what == NotificationKind.NUDGE]
    assert [delivery.mentions for delivery in world.history.ledger(nudge.id)] == [(JONAS,)]


@shows(status="attempt_failed")
async def a_status_transition_fails(world: World) -> None:
    def fail(*_: object) -> None:
        raise TransientError("the database is not available")

    await announced(world)
    await world.pass_time(STARTS_IN)
    await world.controllers.dispatch(STATUS_TRANSITIONS)
    with patch.object(transitions, "_apply", fail):
        await world.bots.handle(*world.broker.ready)


@shows(game="cancelled")
async def a_game_is_cancelled(world: World) -> None:
    await world.actions.cancel(await announced(world))


@shows(game_series="started changed paused resumed ended")
async def a_series_is_paused_resumed_and_ended(world: World) -> None:
    game_id = await announced(world)
    series_id = await world.actions.repeat(game_id, Rule(frequency=Frequency.DAILY))
    await world.actions.cancel(game_id)
    for change in (pause_series, resume_series, end_series):
        await world.actions.change_series(change, series_id)


@shows(row="purged", status="purged", delivery="purged")
async def rows_are_older_than_the_retention_time(world: World) -> None:
    await reminded(world)
    await world.pass_time(STARTS_IN)
    await world.controllers.dispatch(STATUS_TRANSITIONS)
    await world.bots.handle(*world.broker.ready)
    await world.pass_time(31 * DAY)
    await world.controllers.purge()
