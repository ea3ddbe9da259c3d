"""The scheduler loop on a real database and broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import cast
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import func, insert, select, text, update

from controllers.loops import fullness, notify_listener, queries, queue_dispatch
from controllers.loops.dispatch import DispatchLoop
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.queries import requeue_published
from controllers.loops.sources import NOTIFICATIONS, STATUS_TRANSITIONS, ClaimedRow, ScheduleTable
from controllers.loops.stats import count_rows
from controllers.resources.models import SchedulerSpec
from sandbox.servers.fault_proxy import FaultProxy
from sandbox.servers.postgres import Postgres
from sandbox.servers.rabbitmq import RabbitMQ
from shared import database as db
from shared import sql
from shared.audit import RETENTION
from shared.database import connection
from shared.errors import TransientError
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.envelope import decode
from shared.messaging.publisher import Publisher
from shared.models import AuditEntry, Game, GameStatusSchedule, NotificationKind, NotificationSchedule, Outcome, new_id
from shared.settings import BrokerSettings, DatabaseSettings, Timing
from tests.support.broker import declare_all, queue_length, take
from tests.support.builders import drop_notices, make_due, new_game, rows_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change
from tests.support.waiting import WAIT_TIMEOUT, eventually

REMINDER = NotificationKind.REMINDER
LONG_WAIT = 900

CLAIM = sql.load("dispatch")["claim_notifications"]


class Dispatching:
    """A loop that runs, with what it was made of."""

    def __init__(self, loop: DispatchLoop, task: asyncio.Task[None], listener: NotifyListener) -> None:
        self.loop, self.task, self.listener = loop, task, listener

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


Start = Callable[..., "asyncio.Future[Dispatching]"]


@pytest.fixture
async def start(database: Database, broker: BrokerSettings, patient: Timing) -> AsyncIterator[Start]:
    """Starts loops; each has a publisher and its own notify listener, as a replica has."""
    async with AsyncExitStack() as stack:

        async def run(source: ScheduleTable = NOTIFICATIONS, **spec: object) -> Dispatching:
            return await stack.enter_async_context(_running(database, broker, patient, source, spec))

        yield run  # type: ignore[misc]  # a coroutine function is what tests call


@asynccontextmanager
async def _running(
    database: Database, broker: BrokerSettings, timing: Timing, source: ScheduleTable, spec: dict[str, object]
) -> AsyncIterator[Dispatching]:
    async def requeue(_queue: topology.Queue) -> None:
        return

    publisher = Publisher(broker, timing, name="test", on_queue_lost=requeue)
    listener = NotifyListener(database.settings, timing)
    fields = {"source": source.name, "max_wait_seconds": LONG_WAIT} | spec
    loop = DispatchLoop(
        source,
        SchedulerSpec.model_validate(fields),
        sessions=database.sessions,
        publisher=publisher,
        listener=listener,
        timing=timing,
    )
    await publisher.connect()
    listening = asyncio.create_task(listener.run())
    dispatching = Dispatching(loop, asyncio.create_task(loop.run()), listener)
    yield dispatching
    await dispatching.stop()
    listening.cancel()
    await asyncio.wait({listening})
    await publisher.close()


async def many_due(database: Database, count: int) -> None:
    """Reminders of as many games, all due now."""
    game = await new_game(database.sessions, offsets=())
    await drop_notices(database.sessions)
    async with db.transaction(database.sessions) as session:
        now = await db.now(session)
        await session.execute(
            insert(NotificationSchedule),
            [
                {
                    "id": new_id(),
                    "game_id": game.id,
                    "game_version": 1,
                    "kind": REMINDER,
                    "offset_minutes": number,
                    "game_scheduled_at": game.scheduled_at,
                    "due_at": now,
                    "attempt_at": now,
                }
                for number in range(count)
            ],
        )


async def due_reminder(database: Database) -> tuple[Game, NotificationSchedule]:
    """A game two hours from now, and its only reminder, which is due."""
    game = await new_game(database.sessions, offsets=(10,))
    await drop_notices(database.sessions)
    [row] = await rows_of(database.sessions, game, REMINDER)
    await make_due(database.sessions, row)
    return game, row


async def test_a_due_reminder_is_published_and_marked(database: Database, broker: BrokerSettings, start: Start) -> None:
    game, row = await due_reminder(database)
    await start()
    got = await take(broker, topology.REMINDERS.name)
    assert decode(got.body).row_id == row.id
    assert 7_190 < got.expiration <= 7_200  # until the start, two hours from now
    row = await marked(database, game)
    assert row.attempt_at is not None
    assert timedelta(seconds=80) < row.attempt_at - row.due_at < timedelta(seconds=110)


async def test_a_status_transition_is_published_without_ttl(
    database: Database, broker: BrokerSettings, start: Start
) -> None:
    game = await new_game(database.sessions)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(GameStatusSchedule).values(attempt_at=func.clock_timestamp()))
    await start(STATUS_TRANSITIONS)
    got = await take(broker, topology.TRANSITIONS.name)
    assert decode(got.body).game_id == game.id
    assert got.expiration is None


async def test_a_new_row_wakes_a_waiting_loop(database: Database, broker: BrokerSettings, start: Start) -> None:
    running = await start()
    await eventually(lambda: running.loop.status().ready)
    await new_game(database.sessions)
    assert decode((await take(broker, topology.ANNOUNCEMENTS.name)).body).event_type == "game.notice_due"


async def test_a_loop_wakes_for_a_due_row_without_a_notification(
    database: Database, broker: BrokerSettings, start: Start
) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    await drop_notices(database.sessions)
    [row] = await rows_of(database.sessions, game, REMINDER)
    await make_due(database.sessions, row, ago=timedelta(seconds=-1))  # due in a second; written before the loop looks
    await start()
    await take(broker, topology.REMINDERS.name)
    await marked(database, game)


async def test_an_idle_loop_only_asks_for_the_next_row_and_finds_one_without_a_notification(
    database: Database, broker: BrokerSettings, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("claim", "seconds_until_next"):
        monkeypatch.setattr(queries, name, _recording(asked, name, getattr(queries, name)))
    await new_game(database.sessions)
    await start(STATUS_TRANSITIONS, max_wait_seconds=1)
    await eventually(lambda: asked[-3:] == ["seconds_until_next"] * 3)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(GameStatusSchedule).values(attempt_at=func.clock_timestamp()))
    await take(broker, topology.TRANSITIONS.name)


def _recording(
    asked: list[str], name: str, function: Callable[..., Awaitable[object]]
) -> Callable[..., Awaitable[object]]:
    async def call(*arguments: object, **named: object) -> object:
        asked.append(name)
        return await function(*arguments, **named)

    return call


async def test_two_loops_publish_ten_thousand_rows_exactly_once(
    database: Database, broker: BrokerSettings, start: Start
) -> None:
    await many_due(database, 10_000)
    seen: list[str | None] = []
    async with connected(broker, name="reader") as connection:
        await declare_all(connection)
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=500)
        queue = await channel.get_queue(topology.REMINDERS.name)

        async def read(message: object) -> None:
            seen.append(message.message_id)  # type: ignore[attr-defined]  # an incoming message
            await message.ack()  # type: ignore[attr-defined]  # an incoming message

        tag = await queue.consume(read)
        await start(batch_size=100)
        await start(batch_size=100)
        await eventually(lambda: len(seen) >= 10_000)
        await eventually(lambda: _none_due(database))
        await queue.cancel(tag)
    assert len(seen) == len(set(seen)) == 10_000
    assert await attempts(database) == {1: 10_000}


async def test_a_full_queue_leaves_rows_due_and_counts_no_attempt(
    database: Database, broker: BrokerSettings, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((fullness, "ROOM_AFTER"), (fullness, "DEGRADED_AFTER"), (queue_dispatch, "ROOM_AFTER")):
        monkeypatch.setattr(module, name, 0.5)
    await many_due(database, 1_500)
    running = await start(batch_size=200)
    await eventually(lambda: "full" in (running.loop.status().degraded or ""))
    counted = await attempts(database)
    assert counted[0] > 0
    assert set(counted) == {0, 1}
    async with connected(broker, name="reader") as connection:
        await (await (await connection.channel()).get_queue(topology.REMINDERS.name)).purge()
    await eventually(lambda: _none_due(database))
    await eventually(lambda: running.loop.status().degraded is None)


async def test_the_most_urgent_due_rows_are_claimed_first(database: Database) -> None:
    for minutes in (300, 30, 180, 90):
        game = await new_game(database.sessions, starts_in=timedelta(minutes=minutes), offsets=(20,))
        await make_due(database.sessions, *await rows_of(database.sessions, game, REMINDER))
    await drop_notices(database.sessions)
    async with db.transaction(database.sessions) as session:
        claimed = await queries.claim(session, NOTIFICATIONS, batch_size=2)
        first, second = (due.details["game_scheduled_at"] - due.claimed_at for due in claimed)
    assert first < timedelta(minutes=31) < second < timedelta(minutes=91)


async def test_the_claim_reads_only_the_index_on_kind_and_time(database: Database) -> None:
    await many_due(database, 20_000)  # fewer rows are cheaper to read as a whole
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(
            update(NotificationSchedule)
            .where(NotificationSchedule.offset_minutes >= 50)
            .values(attempt_at=func.clock_timestamp() + timedelta(days=3))
        )
    async with database.engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.execute(text("VACUUM ANALYZE notification_schedule"))
    async with db.transaction(database.sessions) as session:
        explained = await session.execute(
            text(f"EXPLAIN (ANALYZE) {CLAIM}"), {"kinds": [REMINDER], "window": 2_000, "batch_size": 100}
        )
        plan = "\n".join(explained.scalars())
    assert "ix_notification_schedule_kind_attempt_at" in plan
    assert "Seq Scan" not in plan


async def test_an_unpublishable_row_is_settled_and_the_others_are_published(
    database: Database, broker: BrokerSettings, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = await new_game(database.sessions, offsets=(10,))
    sound = await new_game(database.sessions, offsets=(10,))
    await drop_notices(database.sessions)
    [bad] = await rows_of(database.sessions, broken, REMINDER)
    [good] = await rows_of(database.sessions, sound, REMINDER)
    await make_due(database.sessions, bad, good)

    def build(due: ClaimedRow) -> object:
        if due.id == bad.id:
            raise ValueError("no such thing")
        return NOTIFICATIONS.build(due)

    await start(ScheduleTable(**{**NOTIFICATIONS.__dict__, "build": build}))
    assert decode((await take(broker, topology.REMINDERS.name)).body).row_id == good.id
    [bad] = await eventually(lambda: _settled(database, broken))
    assert (bad.outcome, bad.outcome_detail) == (Outcome.UNDELIVERABLE, "cannot be published: no such thing")


async def test_suspending_stops_dispatch_and_resuming_starts_it(
    database: Database, broker: BrokerSettings, start: Start
) -> None:
    running = await start()
    await eventually(lambda: running.loop.status().ready)
    spec = running.loop.spec
    running.loop.apply(spec.model_copy(update={"suspend": True}))
    assert running.loop.status().reason == "Suspended"
    witness = running.listener.subscribe()
    game = await new_game(database.sessions)
    await asyncio.wait_for(witness.wait(), WAIT_TIMEOUT)  # the loop was woken for it at the same moment
    assert [row.attempts for row in await rows_of(database.sessions, game)] == [0, 0, 0]
    assert await queue_length(broker, topology.ANNOUNCEMENTS.name) == 0
    running.loop.apply(spec)
    await take(broker, topology.ANNOUNCEMENTS.name)


async def test_the_loop_reports_a_broker_outage_and_recovers_from_it(
    database: Database, broker: BrokerSettings, rabbitmq_server: RabbitMQ, start: Start
) -> None:
    running = await start()
    await eventually(lambda: running.loop.status().ready)
    await rabbitmq_server.stop()
    game = await new_game(database.sessions, offsets=())
    await eventually(lambda: "broker unavailable" in running.loop.status().message)
    [row] = await rows_of(database.sessions, game)
    assert row.attempts == 0
    await rabbitmq_server.start()
    assert decode((await take_when_back(broker)).body).row_id == row.id


async def test_the_loop_waits_while_the_server_only_reads(
    database: Database, broker: BrokerSettings, postgres_server: Postgres, start: Start
) -> None:
    running = await start()
    await eventually(lambda: running.loop.status().ready)

    def is_waiting() -> bool:
        running.loop.apply(running.loop.spec)  # the loop looks again: its session may learn of the change late
        return "the server only reads" in running.loop.status().message

    await postgres_server.set_read_only(True)
    try:
        await eventually(is_waiting)
        assert not running.task.done()
    finally:
        await postgres_server.set_read_only(False)
    await eventually(lambda: running.loop.status().ready)
    _game, row = await due_reminder(database)
    running.loop.apply(running.loop.spec)  # the listener of this test ended with its connection
    assert decode((await take(broker, topology.REMINDERS.name)).body).row_id == row.id


async def test_requeued_rows_wake_the_loops(database: Database, broker: BrokerSettings, start: Start) -> None:
    game, row = await due_reminder(database)
    running = await start()
    await take(broker, topology.REMINDERS.name)
    await marked(database, game)
    await eventually(lambda: running.loop.status().ready)
    settle_timeout = Timing().settle_interval
    assert await requeue_published(database.sessions, NOTIFICATIONS, settle_timeout=settle_timeout) == 1
    assert decode((await take(broker, topology.REMINDERS.name)).body).row_id == row.id


async def test_all_published_rows_are_requeued_in_batches_and_no_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "REQUEUE_BATCH", 2)
    await many_due(database, 5)
    settle_timeout = Timing().settle_interval
    async with db.transaction(database.sessions) as session:
        published = (await session.scalars(select(NotificationSchedule.id).limit(4))).all()
        await queries.mark_published(session, NOTIFICATIONS, published, settle_timeout=settle_timeout)
    assert await requeue_published(database.sessions, NOTIFICATIONS, settle_timeout=settle_timeout) == 4
    assert await requeue_published(database.sessions, NOTIFICATIONS, settle_timeout=settle_timeout) == 0


async def test_the_listener_detects_a_silent_connection(
    database: Database, patient: Timing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify_listener, "PROBE_INTERVAL", 0.2)
    monkeypatch.setattr(connection, "PROBE_TIMEOUT", 0.2)
    url = urlsplit(database.settings.url.get_secret_value())
    async with FaultProxy(url.hostname or "", url.port or 0).serving() as proxy:
        through = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{proxy.port}"))
        listener = NotifyListener(DatabaseSettings(url=SecretStr(through.geturl())), patient)
        listening = asyncio.create_task(listener.run())
        event = listener.subscribe()
        await asyncio.wait_for(event.wait(), WAIT_TIMEOUT)  # the listener is connected
        proxy.silence()
        with pytest.raises(TransientError, match="database unavailable"):
            await asyncio.wait_for(listening, WAIT_TIMEOUT)


async def test_a_reminder_whose_game_has_begun_is_published_at_most_once_in_five_minutes(
    database: Database, broker: BrokerSettings, start: Start
) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    await drop_notices(database.sessions)
    async with db.transaction(database.sessions) as session:
        ago = func.clock_timestamp() - timedelta(minutes=2)
        await allow_any_change(session)
        await session.execute(update(NotificationSchedule).values(game_scheduled_at=ago, due_at=ago, attempt_at=ago))
    await start()
    got = await take(broker, topology.REMINDERS.name)
    assert got.expiration == 60.0
    row = await marked(database, game)
    assert row.attempt_at is not None
    assert row.attempt_at - row.due_at > timedelta(minutes=6)


async def test_a_process_that_dies_releases_its_claim(database: Database, broker: BrokerSettings, start: Start) -> None:
    _, row = await due_reminder(database)
    async with database.engine.connect() as dying:
        claimed = await dying.execute(CLAIM, {"kinds": [REMINDER, "announcement"], "window": 2_000, "batch_size": 10})
        assert len(claimed.all()) == 1
        running = await start()
        await eventually(lambda: running.loop.status().ready)  # it has looked, and found the row held
        assert await queue_length(broker, topology.REMINDERS.name) == 0
        await dying.invalidate()
    assert decode((await take(broker, topology.REMINDERS.name)).body).row_id == row.id


async def test_the_database_ends_the_claim_of_a_frozen_process(database: Database) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    await make_due(database.sessions, *await rows_of(database.sessions, game))
    async with database.engine.connect() as frozen:
        await frozen.execute(CLAIM, {"kinds": [REMINDER, "announcement"], "window": 2_000, "batch_size": 10})
        await frozen.execute(text("SET idle_in_transaction_session_timeout = '100ms'"))

        async def free() -> bool:
            async with db.transaction(database.sessions) as session:
                return len(await queries.claim(session, NOTIFICATIONS, batch_size=10)) == 2

        await eventually(free)
        await frozen.invalidate()


async def test_settled_rows_are_purged_after_the_retention_period(database: Database, start: Start) -> None:
    game = await new_game(database.sessions, offsets=(60, 10))
    old, new = await rows_of(database.sessions, game, REMINDER)
    async with db.transaction(database.sessions) as session:
        for row, age in ((old, timedelta(days=31)), (new, timedelta(days=29))):
            await allow_any_change(session)
            await session.execute(
                update(NotificationSchedule)
                .where(NotificationSchedule.id == row.id)
                .values(settled_at=func.clock_timestamp() - age, outcome=Outcome.DELIVERED, attempt_at=None)
            )
    await start()
    await eventually(lambda: _ids(database, REMINDER, [new.id]))


@pytest.mark.parametrize("kind", [NotificationKind.MINIMUM, NotificationKind.NUDGE])
async def test_what_is_sent_once_for_each_start_is_kept_until_then(database: Database, kind: NotificationKind) -> None:
    coming = await new_game(database.sessions, starts_in=timedelta(days=9), minimum_players=3, nudge_minutes=60)
    over = await new_game(database.sessions, starts_in=timedelta(days=9), minimum_players=3, nudge_minutes=60)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        long_ago = func.clock_timestamp() - timedelta(days=2)
        settled = update(NotificationSchedule).values(settled_at=long_ago, outcome=Outcome.DELIVERED, attempt_at=None)
        await session.execute(settled)
        of_past = NotificationSchedule.game_id == over.id
        await session.execute(update(NotificationSchedule).where(of_past).values(game_scheduled_at=long_ago))
    async with db.transaction(database.sessions) as session:
        assert await queries.purge(session, NOTIFICATIONS, retention_days=1) > 2
        left = select(NotificationSchedule.game_id).where(NotificationSchedule.kind == kind)
        assert list(await session.scalars(left)) == [coming.id]


async def test_old_audit_entries_are_purged_too(database: Database, start: Start) -> None:
    old, new = [await new_game(database.sessions) for _ in range(2)]
    async with db.transaction(database.sessions) as session:
        for game, age in ((old, RETENTION + timedelta(hours=1)), (new, RETENTION - timedelta(hours=1))):
            of_game = AuditEntry.game_id == game.id
            await session.execute(update(AuditEntry).where(of_game).values(at=func.clock_timestamp() - age))
    await start()

    async def only_new_is_left() -> bool:
        async with db.transaction(database.sessions) as session:
            return list(await session.scalars(select(AuditEntry.game_id))) == [new.id]

    await eventually(only_new_is_left)


async def test_rows_are_counted_up_to_the_cap(database: Database, start: Start) -> None:
    await many_due(database, 12_000)
    async with db.transaction(database.sessions) as session:
        found = await count_rows(session, NOTIFICATIONS)
    assert (found.pending, found.overdue) == (10_001, 10_001)
    running = await start(suspend=True)
    assert (await running.loop.stats())["pending"] == "10000+"


async def take_when_back(broker: BrokerSettings):  # type: ignore[no-untyped-def]  # an incoming message
    async def got():  # type: ignore[no-untyped-def]  # an incoming message
        try:
            return await take(broker, topology.ANNOUNCEMENTS.name, within=2)
        except (TransientError, AssertionError):
            return None

    return await eventually(got)


async def marked(database: Database, game: Game) -> NotificationSchedule:
    """Wait until a game's reminder is marked as published: its message is there before that is committed."""

    async def look() -> NotificationSchedule | None:
        [row] = await rows_of(database.sessions, game, REMINDER)
        return row if row.attempts == 1 else None

    return cast(NotificationSchedule, await eventually(look))


async def attempts(database: Database) -> dict[int, int]:
    statement = select(NotificationSchedule.attempts, func.count()).group_by(NotificationSchedule.attempts)
    async with db.transaction(database.sessions) as session:
        return {number: count for number, count in await session.execute(statement)}


async def _none_due(database: Database) -> bool:
    due = select(func.count()).where(NotificationSchedule.attempt_at <= func.clock_timestamp())
    async with db.transaction(database.sessions) as session:
        return (await session.execute(due)).scalar_one() == 0


async def _settled(database: Database, game: object) -> list[NotificationSchedule]:
    return [row for row in await rows_of(database.sessions, game) if row.settled_at is not None]  # type: ignore[arg-type]  # a Game


async def _ids(database: Database, kind: NotificationKind, expected: list[UUID]) -> bool:
    statement = select(NotificationSchedule.id).where(NotificationSchedule.kind == kind)
    async with db.transaction(database.sessions) as session:
        return list((await session.execute(statement)).scalars()) == expected
