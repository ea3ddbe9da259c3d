"""A message is only trusted for the id of its row. Forged ones change nothing, and cost few transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update

from controllers.loops.notify_listener import NotifyListener
from shared import database as db
from shared.errors import EnvelopeError
from shared.messaging import topology
from shared.messaging.consumer import Consumer
from shared.messaging.envelope import AnyEvent, GameReminderDue, NoticeDue, StatusTransitionDue
from shared.messaging.publisher import Publisher, build_message
from shared.models import Game, GameStatus, GameStatusSchedule, NotificationKind, NotificationSchedule, Outcome
from shared.settings import BrokerSettings, Timing
from tests.integration.delivery.conftest import Bot, event_of
from tests.support.broker import queue_length
from tests.support.builders import become_newer, make_due_now, new_game
from tests.support.waiting import eventually

FORGED = 200


@asynccontextmanager
async def consuming(bot: Bot, broker: BrokerSettings, timing: Timing) -> AsyncIterator[None]:
    """Run the consumers of all queues."""
    consumers = [Consumer(broker, timing, queue=queue, handler=bot.handle) for queue in topology.QUEUES]
    tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
    await eventually(lambda: all(consumer.attached for consumer in consumers))
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def reminder_of(row_id: UUID, *, game_id: UUID) -> GameReminderDue:
    return GameReminderDue(row_id=row_id, game_id=game_id, game_scheduled_at=datetime.now(UTC), offset_minutes=5)


async def transactions(bot: Bot) -> int:
    statement = text("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    async with db.transaction(bot.database.sessions) as session:
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
        return int((await session.execute(statement)).scalar_one())


async def status_row(bot: Bot, game: Game, target: GameStatus) -> GameStatusSchedule:
    statement = select(GameStatusSchedule).where(
        GameStatusSchedule.game_id == game.id, GameStatusSchedule.target_status == target
    )
    async with db.transaction(bot.database.sessions) as session:
        return (await session.execute(statement)).scalar_one()


async def test_hundreds_of_messages_with_another_game_do_not_stop_a_reminder(
    bot: Bot, declared: BrokerSettings, publisher: Publisher, timing: Timing
) -> None:
    game, other, victim = await bot.game(), await bot.game(), await bot.game()
    row, waiting = await bot.row(game), await bot.row(victim)
    await make_due_now(bot.database.sessions, row)
    forged = [reminder_of(waiting.id, game_id=other.id) for _ in range(FORGED)]
    await publisher.publish(topology.REMINDERS, [build_message(event, ttl=None, attempt=1) for event in forged])
    await publisher.publish(topology.REMINDERS, [build_message(event_of(row), ttl=None, attempt=1)])
    before = await transactions(bot)
    async with consuming(bot, declared, timing):
        await eventually(lambda: _settled(bot, row))
        await eventually(lambda: _is_empty(declared))
        after_all = await transactions(bot)
        await eventually(lambda: _is_quiet(bot))
    assert after_all - before < 10 * FORGED
    assert len(bot.sent()) == 1
    assert await bot.outcome(waiting) is None  # it is due in an hour
    assert await queue_length(declared, topology.REMINDERS.dead_letters) == 0


async def test_a_due_row_is_delivered_to_its_own_game_whatever_its_message_says(bot: Bot) -> None:
    game, other = await bot.game(("Mia",)), await bot.game(("Jonas",))
    row = await bot.row(game)
    await make_due_now(bot.database.sessions, row)
    for game_id in (other.id, uuid4()):
        await bot.handle(reminder_of(row.id, game_id=game_id))
    [message] = bot.sent()
    assert message.pinged_users == (bot.discord.world.user("Mia").id,)
    assert await bot.outcome(row) is Outcome.DELIVERED


async def test_a_reminder_is_not_sent_early(bot: Bot) -> None:
    row = await bot.row(await bot.game())
    await bot.handle(event_of(row))
    assert bot.sent() == []
    assert await bot.ledger(row) == []
    assert await bot.outcome(row) is None
    await bot.deliver(row)
    assert len(bot.sent()) == 1


async def test_a_row_that_was_published_early_comes_back_at_its_time(bot: Bot) -> None:
    """After a fail-over the database's clock may be behind, and the settle time-out too late for a reminder."""
    game = await bot.game()
    row, status = await bot.row(game), await status_row(bot, game, GameStatus.IN_PROGRESS)
    async with db.transaction(bot.database.sessions) as session:
        for published in (row, status):
            await session.execute(
                update(type(published))
                .where(type(published).id == published.id)
                .values(attempts=1, attempt_at=published.due_at + timedelta(seconds=90))
            )
    await bot.handle(event_of(row))
    await bot.handle(StatusTransitionDue(row_id=status.id, game_id=game.id, target_status=GameStatus.IN_PROGRESS))
    async with db.transaction(bot.database.sessions) as session:
        for published in (row, status):
            assert (await session.get_one(type(published), published.id)).attempt_at == published.due_at


async def test_the_loops_learn_when_a_row_that_was_published_early_is_due(bot: Bot, timing: Timing) -> None:
    """Otherwise they would wait for their next check. Forged messages wake nobody."""
    forged, early = [await bot.row(await bot.game()) for _ in range(2)]
    async with db.transaction(bot.database.sessions) as session:
        await session.execute(
            update(NotificationSchedule)
            .where(NotificationSchedule.id == early.id)
            .values(attempts=1, attempt_at=early.due_at + timedelta(seconds=90))
        )
    listener = NotifyListener(bot.database.settings, timing)
    woken = listener.subscribe()
    listening = asyncio.create_task(listener.run())
    try:
        await eventually(woken.is_set)
        woken.clear()
        await bot.handle(event_of(forged))
        await asyncio.sleep(0.5)  # the test checks that nobody is woken meanwhile
        assert not woken.is_set()
        await bot.handle(event_of(early))
        await eventually(woken.is_set, within=5.0)
    finally:
        listening.cancel()
        await asyncio.wait({listening})


@pytest.mark.parametrize("claimed", [GameStatus.COMPLETED, GameStatus.CANCELLED])
async def test_a_game_is_not_completed_before_its_time(bot: Bot, claimed: GameStatus) -> None:
    game = await bot.game()
    row = await status_row(bot, game, GameStatus.COMPLETED)
    await bot.handle(StatusTransitionDue(row_id=row.id, game_id=game.id, target_status=claimed))
    async with db.transaction(bot.database.sessions) as session:
        assert (await session.get_one(Game, game.id)).status is GameStatus.SCHEDULED
    assert (await status_row(bot, game, GameStatus.COMPLETED)).settled_at is None


async def test_a_message_of_another_kind_is_refused_and_its_row_stays_as_it_is(bot: Bot) -> None:
    game = await bot.game()
    row, status = await bot.row(game), await status_row(bot, game, GameStatus.IN_PROGRESS)
    await make_due_now(bot.database.sessions, row)
    await make_due_now(bot.database.sessions, status)
    wrong: list[AnyEvent] = [
        NoticeDue(row_id=row.id, game_id=game.id, kind=NotificationKind.CANCELLATION),
        StatusTransitionDue(row_id=row.id, game_id=game.id, target_status=GameStatus.COMPLETED),
        reminder_of(status.id, game_id=game.id),
        NoticeDue(row_id=status.id, game_id=game.id, kind=NotificationKind.ANNOUNCEMENT),
    ]
    for event in wrong:
        with pytest.raises(EnvelopeError, match="names a row of the kind"):
            await bot.handle(event)
    assert bot.sent() == []
    async with db.transaction(bot.database.sessions) as session:
        unchanged = await session.get_one(NotificationSchedule, row.id)
        assert (unchanged.attempts, unchanged.failed_attempt, unchanged.settled_at) == (0, 0, None)
    await bot.deliver(row)
    assert await bot.outcome(row) is Outcome.DELIVERED


async def test_a_row_of_a_newer_release_is_left_to_it(bot: Bot) -> None:
    row = await bot.row(await bot.game())
    await make_due_now(bot.database.sessions, row)
    await become_newer(bot.database.sessions, row)
    await bot.handle(event_of(row))
    await bot.handle(NoticeDue(row_id=row.id, game_id=row.game_id, kind="future_kind"))
    assert bot.sent() == []
    assert await bot.outcome(row) is None
    again = await new_game(bot.database.sessions, channel_id=bot.channel, starts_in=timedelta(hours=3))
    due = await bot.row(again)
    await bot.deliver(due)
    assert await bot.outcome(due) is Outcome.DELIVERED


async def _is_quiet(bot: Bot) -> bool:
    """Return whether nothing spins. Sessions report their transactions late, so the first second proves nothing."""
    before = await transactions(bot)
    await asyncio.sleep(1.0)
    return await transactions(bot) - before < 20


async def _settled(bot: Bot, row: NotificationSchedule) -> bool:
    return await bot.outcome(row) is not None


async def _is_empty(broker: BrokerSettings) -> bool:
    return await queue_length(broker, topology.REMINDERS.name) == 0
