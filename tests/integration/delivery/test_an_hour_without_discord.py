"""How many messages of a row an outage of an hour causes. Time passes by moving the row's times, not by waiting."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from controllers.loops.dead_letter_batch import Reconciliation
from controllers.loops.publishing import RowPublisher
from controllers.loops.queries import claim
from controllers.loops.sources import NOTIFICATIONS, SOURCES
from sandbox.discord.faults.model import Match, Status
from shared import database as db
from shared import logs
from shared.errors import TransientError
from shared.messaging.connection import connected
from shared.messaging.envelope import decode
from shared.messaging.publisher import Publisher
from shared.messaging.topology import REMINDERS
from shared.models import Game, NotificationSchedule, Outcome
from shared.settings import BrokerSettings, Timing
from tests.integration.delivery.conftest import Bot
from tests.support.broker import queue_length
from tests.support.builders import drop_notices, make_due
from tests.support.transition_check import allow_any_change

HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
BACKOFFS = 7 + HOUR.total_seconds() / (60 * 0.75)
"""Doubling from 1 s to 60 s takes seven attempts. Then there is one a minute, or every 45 s with the largest jitter."""


class Clockwork:
    """Runs the loops and the bot step by step."""

    def __init__(self, bot: Bot, broker: BrokerSettings, publisher: Publisher, row: NotificationSchedule) -> None:
        self._bot, self._broker, self._id = bot, broker, row.id
        log = logs.get()
        self._rows = {name: RowPublisher(source, publisher, Timing(), log) for name, source in SOURCES.items()}
        self._sessions = bot.database.sessions

    async def dispatch(self) -> None:
        """Publish what is due."""
        async with db.transaction(self._sessions) as session:
            due = await claim(session, NOTIFICATIONS, batch_size=10)
            await self._rows[NOTIFICATIONS.name].publish(session, due)

    async def consume(self) -> None:
        """Handle what is in the queue, with the ACKs and NACKs of the consumer."""
        async with connected(self._broker, name="test") as connection:
            queue = await (await connection.channel()).get_queue(REMINDERS.name)
            while (message := await queue.get(no_ack=False, fail=False)) is not None:
                try:
                    await self._bot.handle(decode(message.body))
                except TransientError:
                    await message.nack(requeue=False)
                else:
                    await message.ack()

    async def reconcile(self) -> int:
        """Handle the dead letters and return how many were republished."""
        run = Reconciliation(self._sessions, self._rows, logs.get())
        async with connected(self._broker, name="test") as connection:
            queue = await (await connection.channel()).get_queue(REMINDERS.dead_letters)
            taken = []
            while (message := await queue.get(no_ack=False, fail=False)) is not None:
                taken.append(message)
            await run.handle(REMINDERS.dead_letters, taken)
        return run.counts.republished

    async def wait(self) -> timedelta:
        """Move the row's times until it is due again, and return by how much."""
        async with db.transaction(self._sessions) as session:
            row = await session.get(NotificationSchedule, self._id)
            assert row is not None and row.attempt_at is not None
            passed: timedelta = max(row.attempt_at - await db.now(session), timedelta(0))
            await allow_any_change(session)
            await session.execute(
                update(NotificationSchedule).values(
                    attempt_at=NotificationSchedule.attempt_at - passed, due_at=NotificationSchedule.due_at - passed
                )
            )
        return passed

    async def attempts(self) -> int:
        """Return how often the row was published."""
        async with db.transaction(self._sessions) as session:
            row = await session.get(NotificationSchedule, self._id)
            assert row is not None
            return row.attempts


@pytest.fixture
async def row(bot: Bot) -> NotificationSchedule:
    game: Game = await bot.game(("Mia",), starts_in=timedelta(hours=30), offsets=(60,))
    await drop_notices(bot.database.sessions)
    row = await bot.row(game)
    await make_due(bot.database.sessions, row)
    return row


async def test_an_hour_of_discord_errors_is_retried_by_the_backoff_and_dead_letters_add_nothing(
    bot: Bot, declared: BrokerSettings, publisher: Publisher, row: NotificationSchedule
) -> None:
    bot.discord.faults.add(Status(500), match=Match(method="POST", route=r"/channels/\d+/messages$"))
    clockwork = Clockwork(bot, declared, publisher, row)
    passed, looked, republished = timedelta(0), timedelta(0), 0
    while passed < HOUR:
        await clockwork.dispatch()
        await clockwork.consume()
        if passed - looked >= QUARTER:
            looked, republished = passed, republished + await clockwork.reconcile()
        passed += await clockwork.wait()
    assert (republished, await queue_length(declared, REMINDERS.name)) == (0, 0)
    assert await clockwork.attempts() <= BACKOFFS
    bot.discord.faults.clear()
    while await bot.outcome(row) is None:
        await clockwork.dispatch()
        await clockwork.consume()
        await clockwork.wait() if await bot.outcome(row) is None else None
    assert (await bot.outcome(row), len(bot.sent())) == (Outcome.DELIVERED, 1)


async def test_after_an_hour_without_a_bot_the_queue_has_one_message_a_settle_timeout_and_one_is_sent(
    bot: Bot, declared: BrokerSettings, publisher: Publisher, row: NotificationSchedule
) -> None:
    clockwork, passed = Clockwork(bot, declared, publisher, row), timedelta(0)
    while passed < HOUR:
        await clockwork.dispatch()
        passed += await clockwork.wait()
    most = HOUR / Timing().settle_interval + 1
    assert await queue_length(declared, REMINDERS.name) == await clockwork.attempts() <= most
    await clockwork.consume()
    assert (await bot.outcome(row), len(bot.sent())) == (Outcome.DELIVERED, 1)
    assert await queue_length(declared, REMINDERS.dead_letters) == 0
