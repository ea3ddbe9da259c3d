"""`questbell dead-letters` on a real database and broker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import pytest
from sqlalchemy import select, text

from cli import dead_letters
from cli.parked import resolve
from controllers.loops.parking import park
from shared import database as db
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.envelope import StatusTransitionDue, encode
from shared.models import GameStatus, ParkedMessage, Resolution
from shared.settings import BrokerSettings
from tests.integration.cli.conftest import Run
from tests.support.broker import queue_length, take
from tests.support.database import Database
from tests.support.waiting import eventually

REMINDERS = topology.REMINDERS


async def parked(database: Database, **fields: Any) -> UUID:
    """A parked message."""
    told: dict[str, Any] = {
        "queue": REMINDERS.dead_letters,
        "routing_key": REMINDERS.routing_key,
        "message_id": "poison",
        "headers": {"questbell-attempt": 3, "x-death": [{"reason": "rejected"}]},
        "body": b'{"schema_version": 7}',
        "digest": uuid4().hex,
        "reason": "schema version 7 is not one of [0, 1]",
    }
    message = ParkedMessage(**(told | fields))
    async with db.transaction(database.sessions) as session:
        session.add(message)
    return message.id


async def resolution(database: Database, parked_id: UUID) -> Resolution | None:
    async with db.transaction(database.sessions) as session:
        return (
            await session.execute(select(ParkedMessage.resolution).where(ParkedMessage.id == parked_id))
        ).scalar_one()


async def put(broker: BrokerSettings, queue: str, *bodies: bytes) -> None:
    async with connected(broker, name="test") as connection:
        exchange = (await connection.channel()).default_exchange
        for number, body in enumerate(bodies):
            await exchange.publish(aio_pika.Message(body, message_id=f"dead {number}", delivery_mode=2), queue)


async def test_a_look_shows_the_first_dead_letters_and_leaves_them_all_in_order(
    run: Run, declared: BrokerSettings
) -> None:
    event = StatusTransitionDue(row_id=uuid4(), game_id=uuid4(), target_status=GameStatus.COMPLETED)
    await put(declared, REMINDERS.dead_letters, encode(event), b"no JSON", b"third")
    for _ in range(2):
        answer = await run(dead_letters.show_all, queue="bot.reminders", peek=2, as_json=True)
        [queue] = answer.document["queues"]
        assert (queue["name"], queue["depth"]) == ("bot.reminders.dlq", 3)
        assert [letter["message_id"] for letter in queue["first"]] == ["dead 0", "dead 1"]
        assert [letter["event_type"] for letter in queue["first"]] == ["game.status_transition_due", None]
        assert "unreadable" in queue["first"][1]["unreadable"]
        await eventually(lambda: _all_back(declared))
    assert (await take(declared, REMINDERS.dead_letters)).message_id == "dead 0"


async def _all_back(broker: BrokerSettings) -> bool:
    return await queue_length(broker, REMINDERS.dead_letters) == 3


async def test_queues_that_are_not_there_are_said_to_be_missing(run: Run) -> None:
    answer = await run(dead_letters.show_all)
    assert answer.code == 0
    assert answer.out.count("no such queue") == 3
    assert "No parked messages." in answer.out


async def test_the_list_shows_open_messages_and_the_others_only_when_asked(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    open_one, done = await parked(database), await parked(database)
    await run(dead_letters.discard, [str(done)])
    shown = (await run(dead_letters.show_all, as_json=True)).document["parked"]
    assert [message["id"] for message in shown] == [str(open_one)]
    everything = await run(dead_letters.show_all, resolved_too=True)
    assert str(open_one) in everything.out
    assert str(done) in everything.out


async def test_a_message_is_shown_with_its_body_which_cannot_reach_the_terminal(run: Run, database: Database) -> None:
    parked_id = await parked(database, body=b"\x1b[31mred [bold]\xff")
    drawn = await run(dead_letters.show_one, str(parked_id))
    assert "\\x1b[31mred [bold]\\xff" in drawn.out
    assert "\x1b[31m" not in drawn.out
    assert "header x-death" in drawn.out
    document = (await run(dead_letters.show_one, str(parked_id), as_json=True)).document
    assert document["headers"]["questbell-attempt"] == 3


async def test_a_retry_publishes_the_message_as_it_was_and_marks_it(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    parked_id = await parked(database)
    answer = await run(dead_letters.retry, [str(parked_id)], as_json=True)
    assert answer.document == [{"id": str(parked_id), "done": True, "error": None}]
    message = await take(declared, REMINDERS.name)
    assert (message.body, message.message_id) == (b'{"schema_version": 7}', "poison")
    assert message.headers["questbell-attempt"] == 3
    assert "x-death" not in message.headers
    assert await resolution(database, parked_id) is Resolution.RETRIED


async def test_what_was_put_straight_into_a_dead_letter_queue_goes_to_its_queue(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    await parked(database, routing_key=REMINDERS.dead_letters)
    assert (await run(dead_letters.retry, [], everything=True)).code == 0
    await take(declared, REMINDERS.name)


async def test_a_message_that_no_queue_takes_stays_open(run: Run, database: Database, declared: BrokerSettings) -> None:
    parked_id = await parked(database, routing_key="game.unheard_of")
    answer = await run(dead_letters.retry, [str(parked_id)])
    assert answer.code == 1
    assert "no queue takes the routing key 'game.unheard_of'" in answer.out
    assert answer.err == "questbell: 1 of 1 message could not be retried\n"
    assert await resolution(database, parked_id) is None


async def test_a_full_queue_ends_the_run_and_loses_nothing(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    async with connected(declared, name="test") as connection:
        channel = await connection.channel()
        filler = [channel.default_exchange.publish(aio_pika.Message(b"x"), REMINDERS.name) for _ in range(1_200)]
        await asyncio.gather(*filler, return_exceptions=True)
    ids = [await parked(database), await parked(database)]
    answer = await run(dead_letters.retry, [], everything=True, as_json=True)
    assert answer.code == 1
    assert ["is full" in result["error"] for result in answer.document] == [True, True]
    assert [await resolution(database, parked_id) for parked_id in ids] == [None, None]


async def test_all_of_one_queue_leaves_the_others(run: Run, database: Database, declared: BrokerSettings) -> None:
    here = await parked(database)
    elsewhere = await parked(database, queue=topology.NOTICES.dead_letters)
    await run(dead_letters.discard, [], everything=True, queue="bot.reminders")
    assert await resolution(database, here) is Resolution.DISCARDED
    assert await resolution(database, elsewhere) is None


async def test_what_was_dealt_with_is_not_dealt_with_again(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    parked_id = await parked(database)
    await run(dead_letters.discard, [str(parked_id)])
    answer = await run(dead_letters.retry, [str(parked_id)])
    assert answer.code == 1
    assert "was discarded already" in answer.out
    assert await queue_length(declared, REMINDERS.name) == 0


async def test_two_people_who_retry_at_once_publish_once(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    parked_id = str(await parked(database))
    codes = [answer.code for answer in await asyncio.gather(*(run(dead_letters.retry, [parked_id]) for _ in range(3)))]
    assert sorted(codes) == [0, 1, 1]
    assert await queue_length(declared, REMINDERS.name) == 1


@pytest.mark.parametrize(
    ("ids", "options", "said"),
    [
        (["01890a5d-ac96-774b-bcce-b302099a8057"], {}, "no parked message 01890a5d"),
        (["poison"], {}, "'poison' is not an id"),
        ([], {}, "name the messages, or say --all"),
        (["x"], {"everything": True}, "name the messages, or say --all"),
        (["x"], {"queue": "bot.notices"}, "--queue goes with --all"),
        ([], {"everything": True, "queue": "mail"}, "there is no queue 'mail'; there are bot.reminders"),
    ],
)
async def test_what_makes_no_sense_is_said_plainly(
    run: Run, ids: list[str], options: dict[str, Any], said: str
) -> None:
    answer = await run(dead_letters.discard, ids, **options)
    assert answer.code == 1
    assert said in answer.out + answer.err


async def test_a_retried_message_that_dies_again_before_the_commit_is_parked_again(database: Database) -> None:
    message: Any = SimpleNamespace(body=b"poison", message_id="poison", headers={}, routing_key=REMINDERS.routing_key)
    async with db.transaction(database.sessions) as session:
        await park(session, message, queue=REMINDERS.dead_letters, reason="unreadable")
        first = (await session.execute(select(ParkedMessage.id))).scalar_one()

    async def park_again() -> None:
        async with db.transaction(database.sessions) as session:
            await park(session, message, queue=REMINDERS.dead_letters, reason="unreadable again")

    async with db.transaction(database.sessions) as session:
        await resolve(session, first, Resolution.RETRIED)
        parking = asyncio.create_task(park_again())
        await eventually(lambda: _somebody_waits(database))
    await parking
    async with db.transaction(database.sessions) as session:
        reopened = select(ParkedMessage.reason).where(ParkedMessage.resolved_at.is_(None))
        assert list(await session.scalars(reopened)) == ["unreadable again"]


async def _somebody_waits(database: Database) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with db.transaction(database.sessions) as session:
        return bool(await session.scalar(waiting))


async def test_a_missing_setting_is_a_configuration_mistake(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUESTBELL_DATABASE_URL")
    answer = await run(dead_letters.show_all)
    assert answer.code == 2
    assert "QUESTBELL_DATABASE_URL: is not set" in answer.err


async def test_a_broker_without_our_exchange_is_said_plainly(run: Run, database: Database) -> None:
    answer = await run(dead_letters.retry, [str(await parked(database))])
    assert answer.code == 1
    assert "no exchange game_events yet: the controllers declare it" in answer.err
