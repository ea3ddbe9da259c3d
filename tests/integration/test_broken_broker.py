"""Whatever a broker does wrong is an outage: our errors, within seconds, and no task dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from pamqp import commands, frame
from pydantic import SecretStr

from cli.commands.check.servers import check_broker
from cli.commands.dead_letters.parked import open_exchange
from shared.errors import TransientError
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.consumer import Consumer
from shared.messaging.publisher import Publisher
from shared.messaging.topology import queue_depths
from shared.settings import BrokerSettings, Timing
from tests.support.tcp_server import serving

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CAPABILITIES = dict.fromkeys(("publisher_confirms", "basic.nack", "consumer_cancel_notify"), True)
START = commands.Connection.Start(server_properties={"capabilities": CAPABILITIES}, mechanisms="PLAIN", locales="en_US")
TUNE = commands.Connection.Tune(channel_max=2047, frame_max=131072, heartbeat=10)


async def _send(writer: asyncio.StreamWriter, method: object, *, channel: int = 0) -> None:
    writer.write(frame.marshal(method, channel))  # type: ignore[arg-type]  # a frame
    await writer.drain()


async def close_at_once(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    return


async def reset_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def close_after_the_header(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(8)


async def close_after_start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(8)
    await _send(writer, START)


async def close_after_start_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await close_after_start(reader, writer)
    await reader.read(1)
    await _send(writer, TUNE)


async def close_once_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await close_after_start_ok(reader, writer)
    await reader.read(4096)
    await _send(writer, commands.Connection.OpenOk())


async def close_after_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await close_once_open(reader, writer)
    await asyncio.sleep(0.2)


async def close_when_a_channel_is_opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await close_once_open(reader, writer)
    await reader.read(4096)
    await _send(writer, commands.Channel.OpenOk(), channel=1)
    await reader.read(4096)


async def answer_with_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(8)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


async def answer_with_another_protocol_version(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(8)
    writer.write(b"AMQP\x00\x01\x00\x00")


def answer_with(garbage: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(garbage)
        await writer.drain()

    return behave


async def garbage_once_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await close_once_open(reader, writer)
    writer.write(b"\x01\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff\xce")
    await writer.drain()


async def never_answer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


BEHAVIOURS: dict[str, Behaviour] = {
    behaviour.__name__: behaviour
    for behaviour in (
        close_at_once,
        reset_at_once,
        close_after_the_header,
        close_after_start,
        close_after_start_ok,
        close_once_open,
        close_after_open,
        close_when_a_channel_is_opened,
        answer_with_http,
        answer_with_another_protocol_version,
        garbage_once_open,
        never_answer,
    )
} | {
    "answer_with_zeros": answer_with(bytes(64)),
    "answer_with_noise": answer_with(bytes(range(255, 0, -1))),
    "answer_with_an_unknown_method": answer_with(b"\x01\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff\xce"),
    "answer_with_a_broken_method": answer_with(b"\x01\x00\x00\x00\x00\x00\x06\x00\x0a\x00\x0a\x00\x09\xce"),
}


@pytest.fixture(params=BEHAVIOURS.values(), ids=BEHAVIOURS)
async def broken(request: pytest.FixtureRequest) -> AsyncIterator[BrokerSettings]:
    async with _serving(request.param) as settings:
        yield settings


@asynccontextmanager
async def _serving(behave: Behaviour) -> AsyncIterator[BrokerSettings]:
    async with serving(behave) as port:
        yield BrokerSettings(url=SecretStr(f"amqp://guest:guest@127.0.0.1:{port}/"))


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("connection", "consumer", "topology"):
        for name in ("CONNECT_TIMEOUT", "CALL_TIMEOUT", "CLOSE_TIMEOUT"):
            monkeypatch.setattr(f"shared.messaging.{module}.{name}", 0.5, raising=False)


async def _publish(broker: BrokerSettings) -> None:
    async def never(_queue: topology.Queue) -> None:
        raise AssertionError("an outage is not a loss of queues")

    publisher = Publisher(broker, Timing(publish_timeout=0.5), name="test", on_queue_lost=never)
    try:
        await publisher.connect()
    finally:
        await publisher.close()


async def _consume(broker: BrokerSettings) -> None:
    await Consumer(broker, Timing(), queue=topology.REMINDERS, handler=_ignore).run()


async def _count(broker: BrokerSettings) -> None:
    async with connected(broker, name="test") as connection:
        await queue_depths(connection, topology.DEAD_LETTER_QUEUES)


async def _open_exchange(broker: BrokerSettings) -> None:
    async with open_exchange(broker):
        return


async def _ignore(_event: object) -> None:
    return


@pytest.mark.parametrize("use", [_publish, _consume, _count, _open_exchange])
async def test_every_user_of_the_broker_sees_an_outage(
    broken: BrokerSettings, use: Callable[[BrokerSettings], Awaitable[None]]
) -> None:
    async with asyncio.timeout(8):
        with pytest.raises(TransientError, match=r"QUESTBELL_AMQP_URL|closed the channel"):
            await use(broken)


async def test_the_check_says_what_is_wrong_in_one_line(broken: BrokerSettings) -> None:
    async with asyncio.timeout(15):
        first, *others = await check_broker(broken)
    assert first.status == "failed", first
    assert "QUESTBELL_AMQP_URL" in first.remedy
    assert {result.status for result in others} == {"skipped"}
