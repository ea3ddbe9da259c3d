"""Reminders and cancellations flow, whatever happens to the queue of the announcements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aio_pika
import pytest
from sqlalchemy import text
from yarl import URL

from controllers.loops import fullness, queries, queue_dispatch
from controllers.loops.dispatch import DispatchLoop
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.queries import requeue_published
from controllers.loops.sources import NOTIFICATIONS, STATUS_TRANSITIONS
from controllers.loops.stats import count_rows
from controllers.resources.models import SchedulerSpec
from sandbox.servers.rabbitmq import RabbitMQ
from shared import database as db
from shared.messaging import topology
from shared.messaging.connection import connected, open_channel
from shared.messaging.publisher import Publisher, PublishResult, build_message
from shared.messaging.topology import ANNOUNCEMENTS, NOTICES, REMINDERS, Queue
from shared.models import NotificationKind
from shared.settings import BrokerSettings, Timing
from tests.integration.test_publisher import reminder
from tests.support.broker import queue_length
from tests.support.builders import become_newer, drop_notices, make_due, new_game, rows_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change
from tests.support.waiting import eventually

REFRESHES, REMINDED, CANCELLED = 3_000, 20, 20
"""More refreshes than a queue and a claim's window hold."""

_FILL = """
INSERT INTO game (id, guild_id, channel_id, host_id, title, scheduled_at, zone, local_time, duration)
SELECT gen_random_uuid(), guild_id, 2, 3, 'Filler', now() + interval '2 hours', 'UTC', now(), interval '3 hours'
FROM game, generate_series(1, CAST(:count AS int));

INSERT INTO notification_schedule (
    id, game_id, game_version, kind, offset_minutes, game_scheduled_at, due_at, attempt_at
)
SELECT gen_random_uuid(), id, 1, kind, CASE WHEN kind = 'reminder' THEN 10 END, scheduled_at, now() - age, now() - age
FROM (
    SELECT *, row_number() OVER () AS number FROM game WHERE title = 'Filler'
) AS filler
CROSS JOIN (
    VALUES
        ('announcement', interval '1 hour', CAST(:count AS int)),
        ('reminder', interval '0', CAST(:reminders AS int)),
        ('cancellation', interval '0', CAST(:cancellations AS int))
) AS wanted (kind, age, wanted_count)
WHERE number <= wanted_count
"""


async def fill(database: Database) -> None:
    """Make thousands of refreshes due for an hour, and some reminders and cancellations due now."""
    await new_game(database.sessions, offsets=())
    await drop_notices(database.sessions)
    counts = {"count": REFRESHES, "reminders": REMINDED, "cancellations": CANCELLED}
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        for statement in _FILL.split(";"):
            await session.execute(text(statement), {name: counts[name] for name in counts if f":{name}" in statement})


@asynccontextmanager
async def dispatching(database: Database, broker: BrokerSettings, timing: Timing) -> AsyncIterator[DispatchLoop]:
    async def requeue(queue: Queue) -> None:
        await requeue_published(database.sessions, NOTIFICATIONS, queue, settle_timeout=Timing().settle_interval)

    publisher = Publisher(broker, timing, name="test", on_queue_lost=requeue)
    listener = NotifyListener(database.settings, timing)
    spec = SchedulerSpec.model_validate({"source": NOTIFICATIONS.name})
    loop = DispatchLoop(
        NOTIFICATIONS, spec, sessions=database.sessions, publisher=publisher, listener=listener, timing=timing
    )
    task = asyncio.create_task(loop.run())
    yield loop
    task.cancel()
    await asyncio.wait({task})
    await publisher.close()


async def expect_all(broker: BrokerSettings) -> None:
    """Wait for every reminder and cancellation, for which nobody consumes."""

    async def arrived() -> bool:
        lengths = [await queue_length(broker, queue.name) for queue in (REMINDERS, NOTICES)]
        return lengths == [REMINDED, CANCELLED]

    await eventually(arrived)


async def test_a_consumer_that_is_away_for_ever(database: Database, declared: BrokerSettings, patient: Timing) -> None:
    await fill(database)
    async with dispatching(database, declared, patient):
        await expect_all(declared)
        await eventually(lambda: _is_above(declared, ANNOUNCEMENTS, 999))


async def test_a_queue_that_is_full_before_the_start(
    database: Database, declared: BrokerSettings, patient: Timing
) -> None:
    async with connected(declared, name="test") as connection:
        exchange = (await connection.channel()).default_exchange
        filler = aio_pika.Message(b"filler")
        await asyncio.gather(
            *(exchange.publish(filler, ANNOUNCEMENTS.name) for _ in range(1_200)), return_exceptions=True
        )
    await fill(database)
    async with dispatching(database, declared, patient):
        await expect_all(declared)


async def test_a_policy_that_lets_a_queue_hold_nothing(
    database: Database, declared: BrokerSettings, patient: Timing, rabbitmq_server: RabbitMQ
) -> None:
    vhost = (URL(declared.url.get_secret_value()).path or "/").lstrip("/")
    await rabbitmq_server.set_policy("short", vhost=vhost, pattern=f"^{ANNOUNCEMENTS.name}$", max_length=1)
    await fill(database)
    async with dispatching(database, declared, patient):
        await expect_all(declared)
        assert await queue_length(declared, ANNOUNCEMENTS.name) < REFRESHES / 10  # a batch passes before it is known


@pytest.mark.parametrize(
    "arguments",
    [{}, {"x-queue-type": "quorum"}, {"x-queue-type": "quorum", "x-max-length": 3, "x-overflow": "reject-publish"}],
    ids=["classic", "unlimited", "shorter"],
)
async def test_a_queue_that_an_operator_declared_otherwise(
    database: Database, declared: BrokerSettings, patient: Timing, arguments: dict[str, Any]
) -> None:
    async with connected(declared, name="test") as connection:
        channel = await connection.channel()
        await channel.queue_delete(ANNOUNCEMENTS.name)
        await channel.declare_queue(ANNOUNCEMENTS.name, durable=True, arguments=arguments)
    await fill(database)
    async with dispatching(database, declared, patient) as loop:
        await expect_all(declared)
        await eventually(lambda: _is_above(declared, ANNOUNCEMENTS, 2))  # it is used as it is
        await eventually(lambda: "bot.announcements has other arguments" in (loop.status().degraded or ""))


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fullness, "STUCK_AFTER", 0.5)
    monkeypatch.setattr(queue_dispatch, "INSPECT_INTERVAL", 0.5)


def is_called_broken(loop: DispatchLoop) -> bool:
    return "bot.announcements has taken no messages for minutes although it is empty" in (loop.status().degraded or "")


@pytest.mark.usefixtures("_soon")
async def test_a_queue_that_takes_nothing_although_it_is_empty_is_named_until_it_does(
    database: Database, declared: BrokerSettings, patient: Timing
) -> None:
    """So a quorum queue looks whose state RabbitMQ lost: it rejects every message, and has none."""
    await fill(database)
    async with connected(declared, name="test") as connection:
        channel = await connection.channel()
        await channel.queue_delete(ANNOUNCEMENTS.name)
        dead = await channel.declare_queue(
            ANNOUNCEMENTS.name, durable=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"}
        )
        await dead.bind(topology.EXCHANGE, ANNOUNCEMENTS.routing_key)
        async with dispatching(database, declared, patient) as loop:
            await eventually(lambda: is_called_broken(loop))
            await expect_all(declared)
            await dead.delete()
            await eventually(lambda: not is_called_broken(loop))


@pytest.mark.usefixtures("_soon")
async def test_a_full_queue_is_not_called_broken(
    database: Database, declared: BrokerSettings, patient: Timing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fullness, "DEGRADED_AFTER", 2.0)
    await fill(database)
    async with dispatching(database, declared, patient) as loop:
        await eventually(lambda: "bot.announcements is full" in (loop.status().degraded or ""))
        assert not is_called_broken(loop)


async def test_a_queue_that_is_exclusive_to_another_connection(
    database: Database, declared: BrokerSettings, patient: Timing
) -> None:
    async with connected(declared, name="test") as connection:
        channel = await connection.channel()
        await channel.queue_delete(ANNOUNCEMENTS.name)
        await channel.declare_queue(ANNOUNCEMENTS.name, exclusive=True)
        await fill(database)
        async with dispatching(database, declared, patient) as loop:
            await expect_all(declared)
            await eventually(lambda: "RESOURCE_LOCKED" in loop.status().message)


async def test_a_queue_that_is_deleted_is_declared_again_and_only_its_rows_are_requeued(
    database: Database, declared: BrokerSettings, patient: Timing
) -> None:
    await fill(database)
    async with dispatching(database, declared, patient):
        await expect_all(declared)
        await eventually(lambda: _is_above(declared, ANNOUNCEMENTS, 999))
        async with connected(declared, name="test") as connection:
            await (await connection.channel()).queue_delete(ANNOUNCEMENTS.name)
        await eventually(lambda: _is_above(declared, ANNOUNCEMENTS, 999))
    await expect_all(declared)


async def test_an_upgrade_requeues_only_the_rows_of_the_new_queue(
    database: Database, declared: BrokerSettings, patient: Timing
) -> None:
    """The previous release published announcements to another queue, and did not declare this one."""
    await fill(database)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        later = "UPDATE notification_schedule SET attempts = 1, attempt_at = clock_timestamp() + interval '90 seconds'"
        await session.execute(text(later))
    async with connected(declared, name="test") as connection:
        await (await connection.channel()).queue_delete(ANNOUNCEMENTS.name)
    async with dispatching(database, declared, patient):
        await eventually(lambda: _is_above(declared, ANNOUNCEMENTS, 999))
    assert [await queue_length(declared, queue.name) for queue in (REMINDERS, NOTICES)] == [0, 0]


async def test_rows_that_only_a_newer_release_knows_are_left_to_it_and_counted(
    database: Database, declared: BrokerSettings, patient: Timing
) -> None:
    await fill(database)
    game = await new_game(database.sessions, offsets=(10,))
    [row] = await rows_of(database.sessions, game, NotificationKind.REMINDER)
    await make_due(database.sessions, row, ago=timedelta(hours=2))
    await become_newer(database.sessions, row)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(
            text("ALTER TABLE game_status_schedule DROP CONSTRAINT ck_game_status_schedule_target_status")
        )
        await session.execute(
            text("UPDATE game_status_schedule SET target_status = 'paused' WHERE target_status = 'completed'")
        )
    async with dispatching(database, declared, patient) as loop:
        await expect_all(declared)
        await loop.stats()
        assert "1 row waits for the newer release that wrote it" in (loop.status().degraded or "")
    async with db.transaction(database.sessions) as session:
        assert (await count_rows(session, STATUS_TRANSITIONS)).newer == 2
        assert await queries.claim(session, STATUS_TRANSITIONS, batch_size=9) == []
        statement = text("SELECT attempts FROM notification_schedule WHERE id = :id")
        assert (await session.execute(statement, {"id": row.id})).scalar_one() == 0


async def test_a_queue_without_an_answer_leaves_the_other_batches_of_a_publisher_alone(
    publisher: Publisher, broker: BrokerSettings
) -> None:
    """A batch that loses its channel half-way must not end another's."""
    batch = [build_message(reminder(), ttl=None, attempt=1) for _ in range(300)]

    async def publish_until(stop: asyncio.Event) -> list[PublishResult]:
        results: list[PublishResult] = []
        while not stop.is_set() and len(results) < 900:
            results += await publisher.publish(NOTICES, batch[:50])
        return results

    stop = asyncio.Event()
    steady = asyncio.create_task(publish_until(stop))
    async with connected(broker, name="test") as connection:
        for _ in range(5):
            await (await open_channel(connection)).queue_delete(REMINDERS.name)
            assert PublishResult.UNROUTABLE in await publisher.publish(REMINDERS, batch)
            await publisher.connect(REMINDERS)
    stop.set()
    assert set(await steady) == {PublishResult.CONFIRMED}


async def test_batches_whose_connection_is_closed_under_them_are_retried_not_raised(
    publisher: Publisher, broker: BrokerSettings
) -> None:
    batch = [build_message(reminder(), ttl=None, attempt=1) for _ in range(500)]
    async with connected(broker, name="test") as connection:

        async def count_messages() -> int:
            states = [await topology.inspect(connection, queue.name) for queue in topology.QUEUES]
            return sum(state.message_count for state in states if state is not None)

        seen = set[PublishResult]()
        for _ in range(5):
            await publisher.connect()
            for queue in topology.QUEUES:  # or they would be full before long
                await (await (await connection.channel()).get_queue(queue.name)).purge()
            before = await count_messages()
            publishing = [asyncio.create_task(publisher.publish(queue, batch)) for queue in topology.QUEUES]

            async def has_begun(before: int = before) -> bool:
                return await count_messages() > before

            await eventually(has_begun)
            await publisher.close()
            for results in await asyncio.gather(*publishing):
                assert set(results) <= {PublishResult.CONFIRMED, PublishResult.FULL, PublishResult.FAILED}
                seen.update(results)
    assert PublishResult.FAILED in seen


async def _is_above(broker: BrokerSettings, queue: Queue, length: int) -> bool:
    async with connected(broker, name="test") as connection:
        state = await topology.inspect(connection, queue.name)
    return state is not None and state.message_count > length
