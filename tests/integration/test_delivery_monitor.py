"""What the status of a Scheduler says about rows that were published and not delivered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy import update

from controllers.delivery_monitor import DeliveryMonitor
from controllers.loops.base import LoopStatus
from shared import database as db
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.models import NotificationSchedule, Outcome
from shared.settings import BrokerSettings
from tests.support.builders import make_due, new_game, rows_of
from tests.support.database import Database
from tests.support.fakes import WELL, scheduler
from tests.support.transition_check import allow_any_change

OLD, FRESH = timedelta(seconds=150), timedelta(seconds=60)


async def status_with(database: Database, broker: BrokerSettings) -> LoopStatus:
    """Return the status of a working loop after one check."""
    monitor = DeliveryMonitor(database.sessions, broker)
    await monitor.check()
    return monitor.add_to(scheduler(), WELL)


async def overdue_row(database: Database, *, ago: timedelta, error: str | None = None) -> NotificationSchedule:
    game = await new_game(database.sessions, offsets=(60,))
    rows = await rows_of(database.sessions, game)
    await make_due(database.sessions, *rows, ago=ago)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(NotificationSchedule).values(attempts=1, last_error=error))
    return rows[0]


async def test_rows_overdue_for_minutes_degrade_and_name_the_queues_that_nobody_consumes(
    database: Database, declared: BrokerSettings
) -> None:
    await overdue_row(database, ago=OLD, error="Discord answered 503:\nnot now")
    problem = (await status_with(database, declared)).degraded
    assert problem is not None
    assert "2 minutes overdue" in problem
    assert "Nobody consumes bot.reminders, bot.notices and bot.announcements: is the bot running?" in problem
    assert problem.endswith("Last error: Discord answered 503: not now")


async def keep(_message: AbstractIncomingMessage) -> None:
    return


async def test_a_consumed_queue_is_not_blamed(database: Database, declared: BrokerSettings) -> None:
    await overdue_row(database, ago=OLD)
    async with connected(declared, name="test") as connection:
        channel = await connection.channel()
        for queue in (topology.REMINDERS, topology.NOTICES, topology.ANNOUNCEMENTS):
            await (await channel.get_queue(queue.name)).consume(keep)
        problem = (await status_with(database, declared)).degraded
    assert "The bot consumes the queues" in (problem or "")


async def test_an_unreachable_broker_is_part_of_the_answer(database: Database) -> None:
    await overdue_row(database, ago=OLD)
    nowhere = BrokerSettings.model_validate({"url": "amqp://user:hush@127.0.0.1:9/"})
    problem = (await status_with(database, nowhere)).degraded
    assert "The consumers are unknown: broker unavailable" in (problem or "")
    assert "hush" not in (problem or "")


async def test_rows_that_are_only_just_overdue_do_not_degrade(database: Database, declared: BrokerSettings) -> None:
    await overdue_row(database, ago=FRESH)
    assert (await status_with(database, declared)).degraded is None


@pytest.mark.parametrize("attempts", [0, 1])
async def test_a_row_published_by_any_replica_counts_as_a_dispatch_once_it_has_its_outcome(
    attempts: int, database: Database, declared: BrokerSettings
) -> None:
    await overdue_row(database, ago=OLD)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        now = await db.now(session)
        settled = {"settled_at": now, "attempt_at": None, "outcome": Outcome.SUPERSEDED, "attempts": attempts}
        await session.execute(update(NotificationSchedule).values(settled))
    status = await status_with(database, declared)
    assert status.last_dispatch == (now if attempts else None)
    assert status.degraded is None
