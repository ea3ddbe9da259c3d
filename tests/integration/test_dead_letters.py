"""The dead-letter loop on a real database and broker: every dead letter is dropped, parked or won; runs end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import pytest
from sqlalchemy import func, select, text, update

from controllers.loops import dead_letters, queries
from controllers.loops.dead_letters import DeadLetterLoop
from controllers.loops.sources import NOTIFICATIONS
from controllers.resources.models import DeadLetterReconcilerSpec
from shared import database as db
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.envelope import ATTEMPT_HEADER, AnyEvent, GameReminderDue, NoticeDue, StatusTransitionDue, encode
from shared.messaging.publisher import Publisher
from shared.models import (
    GameStatus,
    GameStatusSchedule,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    ParkedMessage,
)
from shared.schedule.retry import Backoff
from shared.schedule.settle import Settlement, record_failure, settle
from shared.settings import BrokerSettings, Timing
from tests.support.broker import queue_length, take
from tests.support.builders import become_newer, new_game, rows_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change
from tests.support.waiting import eventually

REMINDERS, ANNOUNCEMENTS, TRANSITIONS = topology.REMINDERS, topology.ANNOUNCEMENTS, topology.TRANSITIONS
Start = Callable[..., Awaitable[DeadLetterLoop]]


@pytest.fixture
async def start(
    database: Database, declared: BrokerSettings, publisher: Publisher, timing: Timing
) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def run(**spec: Any) -> DeadLetterLoop:
            return await stack.enter_async_context(_running(database, declared, publisher, timing, spec))

        yield run


@asynccontextmanager
async def _running(
    database: Database, broker: BrokerSettings, publisher: Publisher, timing: Timing, spec: dict[str, Any]
) -> AsyncIterator[DeadLetterLoop]:
    loop = DeadLetterLoop(
        DeadLetterReconcilerSpec(**spec), sessions=database.sessions, publisher=publisher, broker=broker, timing=timing
    )
    task = asyncio.create_task(loop.run())
    yield loop
    if task.done():
        task.result()  # a loop that died fails its test
    task.cancel()
    _, late = await asyncio.wait({task}, timeout=10)
    for straggler in late:
        straggler.print_stack()
    assert not late, "the loop did not end when it was cancelled"


async def published_row(database: Database, *, attempts: int = 1) -> NotificationSchedule:
    """A reminder whose latest message was published a moment ago."""
    game = await new_game(database.sessions, offsets=(10,))
    async with db.transaction(database.sessions) as session:
        later = func.clock_timestamp() + timedelta(seconds=90)
        await allow_any_change(session)
        await session.execute(update(NotificationSchedule).values(attempts=attempts, attempt_at=later))
    [row] = await rows_of(database.sessions, game, NotificationKind.REMINDER)
    return row


def reminder(row: NotificationSchedule) -> GameReminderDue:
    return GameReminderDue(
        row_id=row.id, game_id=row.game_id, game_scheduled_at=row.game_scheduled_at, offset_minutes=10
    )


async def dead(
    broker: BrokerSettings, *events: AnyEvent, queue: str = REMINDERS.dead_letters, attempt: int = 1
) -> None:
    """Put messages into a dead-letter queue."""
    headers: dict[str, Any] = {ATTEMPT_HEADER: attempt}
    messages = [aio_pika.Message(encode(event), message_id=str(event.row_id), headers=headers) for event in events]
    await put(broker, *messages, queue=queue)


async def put(broker: BrokerSettings, *messages: aio_pika.Message, queue: str = REMINDERS.dead_letters) -> None:
    """Put messages into a queue, and wait until it counts them, which a quorum queue does with delay."""
    before = await queue_length(broker, queue)
    async with connected(broker, name="test") as connection:
        exchange = (await connection.channel()).default_exchange
        for message in messages:
            await exchange.publish(message, queue)
    await eventually(lambda: _is(queue_length(broker, queue), before + len(messages)))


async def emptied(loop: DeadLetterLoop, broker: BrokerSettings, queue: str = REMINDERS.dead_letters) -> None:
    """Wait until a run is over (what it has not answered yet is not counted), and nothing is left."""
    await eventually(lambda: _is(_ready(loop), True))
    await eventually(lambda: _is(queue_length(broker, queue), 0))


async def _is(value: Awaitable[object], expected: object) -> bool:
    return await value == expected


async def test_at_the_start_a_dead_letter_is_republished_without_ttl(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    row = await published_row(database)
    await dead(declared, reminder(row))
    loop = await start()
    got = await take(declared, REMINDERS.name)
    assert got.message_id == str(row.id)
    assert got.expiration is None
    assert got.headers[ATTEMPT_HEADER] == 2
    assert "x-death" not in got.headers
    await emptied(loop, declared)
    assert await attempts(database, row.id) == 2


async def test_dead_letters_are_handled_again_on_the_interval(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    loop = await start(interval_seconds=1)
    await eventually(lambda: _is(_ready(loop), True))
    await dead(declared, reminder(await published_row(database)))
    await take(declared, REMINDERS.name)


async def _ready(loop: DeadLetterLoop) -> bool:
    return loop.status().ready


async def test_the_dead_letter_of_a_settled_row_is_dropped(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    row = await published_row(database)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await settle(session, NotificationSchedule, {row.id: Settlement(Outcome.DELIVERED)})
    await dead(declared, reminder(row))
    loop = await start()
    await emptied(loop, declared)
    assert await queue_length(declared, REMINDERS.name) == 0


async def test_a_dead_letter_with_a_recorded_failure_is_dropped_and_its_row_keeps_its_time(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    row = await published_row(database)
    async with db.transaction(database.sessions) as session:
        backoff = Backoff(first=30, longest=30)
        await record_failure(session, NotificationSchedule, row.id, backoff=backoff, error="Discord is down")
    await dead(declared, reminder(row))
    loop = await start()
    await emptied(loop, declared)
    assert await queue_length(declared, REMINDERS.name) == 0
    assert await attempts(database, row.id) == 1


async def test_a_dead_letter_of_an_earlier_attempt_is_dropped(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    row = await published_row(database, attempts=3)
    await dead(declared, reminder(row), attempt=2)
    loop = await start()
    await emptied(loop, declared)
    assert await attempts(database, row.id) == 3


async def test_the_dead_letter_of_a_purged_row_is_dropped(declared: BrokerSettings, start: Start) -> None:
    event = StatusTransitionDue(row_id=uuid4(), game_id=uuid4(), target_status=GameStatus.COMPLETED)
    await dead(declared, event, queue=TRANSITIONS.dead_letters)
    loop = await start()
    await emptied(loop, declared, TRANSITIONS.dead_letters)


async def test_many_dead_letters_of_one_row_are_republished_once(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    row = await published_row(database)
    await dead(declared, *[reminder(row)] * 20)
    loop = await start()
    await emptied(loop, declared)
    await eventually(lambda: _is(queue_length(declared, REMINDERS.name), 1))
    assert await attempts(database, row.id) == 2


async def test_a_status_transition_is_republished_however_often_it_failed(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    game = await new_game(database.sessions)
    async with db.transaction(database.sessions) as session:
        later = func.clock_timestamp() + timedelta(seconds=90)
        await allow_any_change(session)
        await session.execute(update(GameStatusSchedule).values(attempts=500, failed_attempt=499, attempt_at=later))
        statement = select(GameStatusSchedule.id).where(
            GameStatusSchedule.game_id == game.id, GameStatusSchedule.target_status == GameStatus.COMPLETED
        )
        row_id = (await session.execute(statement)).scalar_one()
    event = StatusTransitionDue(row_id=row_id, game_id=game.id, target_status=GameStatus.COMPLETED)
    await dead(declared, event, queue=TRANSITIONS.dead_letters, attempt=500)
    loop = await start()
    assert (await take(declared, TRANSITIONS.name)).message_id == str(row_id)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(GameStatusSchedule).values(due_at=func.clock_timestamp() - timedelta(hours=2)))
    figures = await loop.stats()
    assert "failed 5 times or more" in (loop.status().degraded or "")
    assert figures["oldest"] is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff",
        b"null",
        b"[]",
        b"{",
        b"{}",
        b'{"schema_version": 7}',
        b'{"occurred_at": "2030-01-01T00:00:00Z", "traceparent": "", "data": {"event_type": "a\\u0000b"}}',
        b'"text"',
        b"<xml/>",
        b"9" * 70_000,
    ],
)
async def test_a_poison_message_is_parked_once_and_blocks_no_other(
    database: Database, declared: BrokerSettings, start: Start, body: bytes
) -> None:
    row = await published_row(database)
    headers: dict[str, Any] = {"odd": [1, {"a": "b"}], "nul": "\0"}
    poison = aio_pika.Message(body, message_id="poison", headers=headers)
    await put(declared, poison, poison)
    await dead(declared, reminder(row))
    loop = await start()
    assert (await take(declared, REMINDERS.name)).message_id == str(row.id)
    await emptied(loop, declared)
    async with db.transaction(database.sessions) as session:
        [parked] = (await session.execute(select(ParkedMessage))).scalars()
    assert (parked.body, parked.queue, parked.message_id) == (body, REMINDERS.dead_letters, "poison")
    assert parked.reason.startswith("unreadable message") or "schema version" in parked.reason


async def test_a_full_main_queue_makes_its_rows_due_and_holds_up_no_other(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    row, other = await published_row(database), await published_row(database)
    async with connected(declared, name="test") as connection:
        channel = await connection.channel()
        full = aio_pika.Message(b"filler")
        await asyncio.gather(
            *(channel.default_exchange.publish(full, ANNOUNCEMENTS.name) for _ in range(1_200)), return_exceptions=True
        )
    async with db.transaction(database.sessions) as session:
        statement = select(NotificationSchedule).where(
            NotificationSchedule.game_id == row.game_id, NotificationSchedule.kind == NotificationKind.ANNOUNCEMENT
        )
        announcement = (await session.scalars(statement)).one()
    notice = NoticeDue(row_id=announcement.id, game_id=row.game_id, kind=announcement.kind)
    await dead(declared, *[notice] * 120, queue=ANNOUNCEMENTS.dead_letters)
    await dead(declared, reminder(other))
    loop = await start()
    assert (await take(declared, REMINDERS.name)).message_id == str(other.id)
    await emptied(loop, declared, ANNOUNCEMENTS.dead_letters)
    assert await attempts(database, announcement.id) == 1
    async with db.transaction(database.sessions) as session:
        assert [due.id for due in await queries.claim(session, NOTIFICATIONS, batch_size=9)] == [announcement.id]


async def test_a_queue_that_does_not_exist_holds_up_no_other(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    row = await published_row(database)
    async with connected(declared, name="test") as connection:
        await (await connection.channel()).queue_delete(topology.NOTICES.dead_letters)
    await dead(declared, event_of_no_row(), queue=TRANSITIONS.dead_letters)
    await dead(declared, reminder(row))
    loop = await start(queues=[topology.NOTICES.dead_letters, REMINDERS.dead_letters, TRANSITIONS.dead_letters])
    assert (await take(declared, REMINDERS.name)).message_id == str(row.id)
    await eventually(lambda: _is(queue_length(declared, TRANSITIONS.dead_letters), 0))
    await eventually(lambda: "bot.notices.dlq does not exist" in loop.status().message)


async def test_a_message_that_contradicts_its_row_is_parked_and_the_row_stays_as_it_is(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    row = await published_row(database)
    wrong = [
        NoticeDue(row_id=row.id, game_id=row.game_id, kind=NotificationKind.CANCELLATION),
        StatusTransitionDue(row_id=row.id, game_id=row.game_id, target_status=GameStatus.COMPLETED),
    ]
    await dead(declared, *wrong, queue=topology.NOTICES.dead_letters)
    loop = await start()
    await emptied(loop, declared, topology.NOTICES.dead_letters)
    async with db.transaction(database.sessions) as session:
        reasons = (await session.execute(select(ParkedMessage.reason))).scalars().all()
    assert sorted(reasons) == [
        "game.notice_due names a row of the kind reminder",
        "game.status_transition_due names a row of the kind reminder",
    ]
    assert await attempts(database, row.id) == 1
    await loop.stats()
    assert "2 messages are parked" in (loop.status().degraded or "")


async def test_the_messages_and_rows_of_a_newer_release_are_left_to_it(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    row = await published_row(database)
    await become_newer(database.sessions, row)
    body = encode(reminder(row)).replace(b"game.reminder_due", b"game.future_due")
    await put(declared, aio_pika.Message(body, message_id=str(row.id)))
    await dead(declared, NoticeDue(row_id=row.id, game_id=row.game_id, kind="future_kind"))
    loop = await start()
    await emptied(loop, declared)
    async with db.transaction(database.sessions) as session:
        assert (await session.execute(select(func.count()).select_from(ParkedMessage))).scalar_one() == 0
        statement = text("SELECT attempts, settled_at FROM notification_schedule WHERE id = :id")
        assert (await session.execute(statement, {"id": row.id})).one() == (1, None)


def event_of_no_row() -> StatusTransitionDue:
    return StatusTransitionDue(row_id=uuid4(), game_id=uuid4(), target_status=GameStatus.COMPLETED)


async def test_a_run_ends_although_its_republished_messages_die_again(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    rows = [await published_row(database) for _ in range(5)]
    await dead(declared, *(reminder(row) for row in rows))
    async with connected(declared, name="rejecter") as connection:
        queue = await (await connection.channel()).get_queue(REMINDERS.name)

        async def reject(message: Any) -> None:
            await message.nack(requeue=False)

        await queue.consume(reject)
        loop = await start()
        await eventually(lambda: _is(_ready(loop), True))
        await eventually(lambda: _is(queue_length(declared, REMINDERS.dead_letters), 5))
    assert [await attempts(database, row.id) for row in rows] == [2] * 5


async def test_a_suspended_loop_leaves_dead_letters_in_their_queue(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    await dead(declared, reminder(await published_row(database)))
    loop = await start(suspend=True)
    assert loop.status().reason == "Suspended"
    assert (await loop.stats())["depth"] == 1
    loop.apply(loop.spec.model_copy(update={"suspend": False}))
    await take(declared, REMINDERS.name)


async def test_two_loops_with_different_queues_both_run(
    database: Database, declared: BrokerSettings, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "SHORT_INTERVAL", 0.1)
    async with queries.try_dead_letter_lock(database.sessions):
        loop = await start(queues=[REMINDERS.dead_letters])
        await eventually(lambda: _is(_ready(loop), True))
        await dead(declared, reminder(await published_row(database)))
    await take(declared, REMINDERS.name)


async def test_a_long_queue_drains_in_bounded_batches(
    database: Database, declared: BrokerSettings, start: Start
) -> None:
    gone = [
        StatusTransitionDue(row_id=uuid4(), game_id=uuid4(), target_status=GameStatus.COMPLETED) for _ in range(350)
    ]
    await dead(declared, *gone, queue=TRANSITIONS.dead_letters)
    loop = await start(batch_size=100)
    await emptied(loop, declared, TRANSITIONS.dead_letters)


async def attempts(database: Database, row_id: UUID) -> int:
    statement = select(NotificationSchedule.attempts).where(NotificationSchedule.id == row_id)
    async with db.transaction(database.sessions) as session:
        return int((await session.execute(statement)).scalar_one())
