"""`questbell dead-letters` on a real database and broker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import pytest
from sqlalchemy import select

from cli.commands.dead_letters import command as dead_letters
from cli.commands.dead_letters.parked import resolve
from controllers.loops.parking import park
from shared import database as db
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.envelope import StatusTransitionDue, encode
from shared.models import GameStatus, ParkedMessage, Resolution
from shared.settings import BrokerSettings
from tests.integration.cli.conftest import Run
from tests.support.broker import queue_length, take
from tests.support.database import Database, is_anyone_blocked
from tests.support.waiting import eventually

REMINDERS = topology.REMINDERS


async def parked(database: Database, **fields: Any) -> UUID:
    """A parked message."""
    defaults: dict[str, Any] = {
        "queue": REMINDERS.dead_letters,
        "routing_key": REMINDERS.routing_key,
        "message_id": "poison",
        "headers": {"questbell-attempt": 3, "x-death": [{"reason": "rejected"}]},
        "body": b'{"schema_version": 7}',
        "digest": uuid4().hex,
        "reason": "schema version 7 is not one of [0, 1]",
    }
    message = ParkedMessage(**(defaults | fields))
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


async def test_peeking_shows_the_first_dead_letters_and_leaves_all_in_order(run: Run, declared: BrokerSettings) -> None:
    event = StatusTransitionDue(row_id=uuid4(), game_id=uuid4(), target_status=GameStatus.COMPLETED)
    await put(declared, REMINDERS.dead_letters, encode(event), b"no JSON", b"third")
    for _ in range(2):
        output = await run(dead_letters.list_all, queue="bot.reminders", limit=2, as_json=True)
        [queue] = output.document["queues"]
        assert (queue["name"], queue["depth"]) == ("bot.reminders.dlq", 3)
        assert [message["message_id"] for message in queue["messages"]] == ["dead 0", "dead 1"]
        assert [message["event_type"] for message in queue["messages"]] == ["game.status_transition_due", None]
        assert "unreadable" in queue["messages"][1]["error"]
        await eventually(lambda: _all_back(declared))
    assert (await take(declared, REMINDERS.dead_letters)).message_id == "dead 0"


async def _all_back(broker: BrokerSettings) -> bool:
    return await queue_length(broker, REMINDERS.dead_letters) == 3


async def test_missing_queues_are_listed_as_missing(run: Run) -> None:
    output = await run(dead_letters.list_all)
    assert output.code == 0
    assert output.out.count("missing") == 3
    assert "No parked messages." in output.out


async def test_the_list_shows_open_messages_and_the_resolved_ones_only_on_request(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    open_one, done = await parked(database), await parked(database)
    await run(dead_letters.discard, [str(done)])
    shown = (await run(dead_letters.list_all, as_json=True)).document["parked"]
    assert [message["id"] for message in shown] == [str(open_one)]
    with_resolved = await run(dead_letters.list_all, include_resolved=True)
    assert str(open_one) in with_resolved.out
    assert str(done) in with_resolved.out


async def test_a_message_is_shown_with_its_body_whose_control_characters_are_escaped(
    run: Run, database: Database
) -> None:
    parked_id = await parked(database, body=b"\x1b[31mred [bold]\xff")
    rendered = await run(dead_letters.show_one, str(parked_id))
    assert "\\x1b[31mred [bold]\\xff" in rendered.out
    assert "\x1b[31m" not in rendered.out
    assert "header x-death" in rendered.out
    document = (await run(dead_letters.show_one, str(parked_id), as_json=True)).document
    assert document["headers"]["questbell-attempt"] == 3


async def test_a_retry_publishes_the_original_message_and_marks_it(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    parked_id = await parked(database)
    output = await run(dead_letters.retry, [str(parked_id)], as_json=True)
    assert output.document == [{"id": str(parked_id), "done": True, "error": None}]
    message = await take(declared, REMINDERS.name)
    assert (message.body, message.message_id) == (b'{"schema_version": 7}', "poison")
    assert message.headers["questbell-attempt"] == 3
    assert "x-death" not in message.headers
    assert await resolution(database, parked_id) is Resolution.RETRIED


async def test_a_message_put_straight_into_a_dead_letter_queue_is_retried_in_its_queue(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    await parked(database, routing_key=REMINDERS.dead_letters)
    assert (await run(dead_letters.retry, [], all_open=True)).code == 0
    await take(declared, REMINDERS.name)


async def test_a_message_without_a_queue_stays_open(run: Run, database: Database, declared: BrokerSettings) -> None:
    parked_id = await parked(database, routing_key="game.unheard_of")
    output = await run(dead_letters.retry, [str(parked_id)])
    assert output.code == 1
    assert "no queue is bound to the routing key 'game.unheard_of'" in output.out
    assert output.err == "questbell: 1 of 1 message could not be retried\n"
    assert await resolution(database, parked_id) is None


async def test_a_full_queue_ends_the_command_and_loses_nothing(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    async with connected(declared, name="test") as connection:
        channel = await connection.channel()
        filler = [channel.default_exchange.publish(aio_pika.Message(b"x"), REMINDERS.name) for _ in range(1_200)]
        await asyncio.gather(*filler, return_exceptions=True)
    ids = [await parked(database), await parked(database)]
    output = await run(dead_letters.retry, [], all_open=True, as_json=True)
    assert output.code == 1
    assert ["is full" in result["error"] for result in output.document] == [True, True]
    assert [await resolution(database, parked_id) for parked_id in ids] == [None, None]


async def test_discarding_all_messages_of_one_queue_leaves_the_others_open(
    run: Run, database: Database, declared: BrokerSettings
) -> None:
    here = await parked(database)
    elsewhere = await parked(database, queue=topology.NOTICES.dead_letters)
    await run(dead_letters.discard, [], all_open=True, queue="bot.reminders")
    assert await resolution(database, here) is Resolution.DISCARDED
    assert await resolution(database, elsewhere) is None


async def test_a_discarded_message_cannot_be_retried(run: Run, database: Database, declared: BrokerSettings) -> None:
    parked_id = await parked(database)
    await run(dead_letters.discard, [str(parked_id)])
    output = await run(dead_letters.retry, [str(parked_id)])
    assert output.code == 1
    assert "was already discarded" in output.out
    assert await queue_length(declared, REMINDERS.name) == 0


async def test_simultaneous_retries_publish_once(run: Run, database: Database, declared: BrokerSettings) -> None:
    parked_id = str(await parked(database))
    codes = [output.code for output in await asyncio.gather(*(run(dead_letters.retry, [parked_id]) for _ in range(3)))]
    assert sorted(codes) == [0, 1, 1]
    assert await queue_length(declared, REMINDERS.name) == 1


@pytest.mark.parametrize(
    ("ids", "options", "message"),
    [
        (["01890a5d-ac96-774b-bcce-b302099a8057"], {}, "no parked message 01890a5d"),
        (["poison"], {}, "'poison' is not an id"),
        ([], {}, "give either the ids of messages or --all"),
        (["x"], {"all_open": True}, "give either the ids of messages or --all"),
        (["x"], {"queue": "bot.notices"}, "--queue needs --all"),
        ([], {"all_open": True, "queue": "mail"}, "there is no queue 'mail'; the queues are bot.reminders"),
    ],
)
async def test_wrong_arguments_are_reported_in_one_line(
    run: Run, ids: list[str], options: dict[str, Any], message: str
) -> None:
    output = await run(dead_letters.discard, ids, **options)
    assert output.code == 1
    assert message in output.out + output.err


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
        await eventually(lambda: is_anyone_blocked(database.sessions))
    await parking
    async with db.transaction(database.sessions) as session:
        reopened = select(ParkedMessage.reason).where(ParkedMessage.resolved_at.is_(None))
        assert list(await session.scalars(reopened)) == ["unreadable again"]


async def test_a_missing_setting_is_a_configuration_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUESTBELL_DATABASE_URL")
    output = await run(dead_letters.list_all)
    assert output.code == 2
    assert "QUESTBELL_DATABASE_URL is not set" in output.err


async def test_a_missing_exchange_is_reported(run: Run, database: Database) -> None:
    output = await run(dead_letters.retry, [str(await parked(database))])
    assert output.code == 1
    assert "the exchange game_events does not exist yet; start the controllers" in output.err
