"""The proxies of the fault matrix, with an echo server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from sandbox.servers.fault_proxy import Action, Direction, FaultProxy
from tests.chaos.injection_points import ACK_SENT, PUBLISH_CONFIRMED, PUBLISH_SENT, InjectionPoint, Trigger
from tests.support.waiting import WAIT_TIMEOUT

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1]).serving() as running:
        yield running


@pytest.fixture
async def connect(proxy: FaultProxy) -> AsyncIterator[Callable[[], Awaitable[Pair]]]:
    opened: list[Pair] = []

    async def connect() -> Pair:
        opened.append(await asyncio.open_connection("127.0.0.1", proxy.port))
        return opened[-1]

    yield connect
    for _, writer in opened:
        writer.transport.abort()


async def ask(pair: Pair, words: bytes, *, within: float = WAIT_TIMEOUT) -> bytes:
    pair[1].write(words)
    async with asyncio.timeout(within):
        return await pair[0].readexactly(len(words))


async def test_bytes_are_forwarded(connect):
    assert await ask(await connect(), b"hello") == b"hello"


async def test_a_silent_proxy_forwards_nothing_and_everything_once_it_is_restored(proxy, connect):
    pair = await connect()
    await ask(pair, b"before")
    proxy.silence()
    with pytest.raises(TimeoutError):
        await ask(pair, b"hello", within=0.1)
    proxy.restore()
    async with asyncio.timeout(WAIT_TIMEOUT):
        assert await pair[0].readexactly(5) == b"hello"


async def test_abandoned_connections_stay_silent_and_new_ones_work(proxy, connect):
    pair = await connect()
    await ask(pair, b"before")
    proxy.abandon()
    assert await ask(await connect(), b"again") == b"again"
    proxy.silence()
    proxy.restore()
    with pytest.raises(TimeoutError):
        await ask(pair, b"hello", within=0.1)


async def test_a_cut_resets_connections_and_accepts_new_ones(proxy, connect):
    pair = await connect()
    await ask(pair, b"before")
    await proxy.cut()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await ask(pair, b"hello")
    assert await ask(await connect(), b"again") == b"again"


async def test_a_trigger_fires_once_in_order_and_holds_the_last_bytes_back(proxy, connect):
    injected = []

    async def inject() -> Action:
        injected.append(True)
        return Action.RESET

    request, response = (InjectionPoint("l", direction, re.compile(b"x")) for direction in Direction)
    Trigger(request, response, inject=inject, skipped=1).arm({"l": proxy})
    pair = await connect()
    assert await ask(pair, b"axa") == b"axa"
    assert await ask(pair, b"bbb") == b"bbb"
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await ask(pair, b"cxc")
    assert injected == [True]
    assert await ask(await connect(), b"xxx") == b"xxx"
    assert injected == [True]


def frame(class_id: int, method_id: int, rest: bytes) -> bytes:
    body = class_id.to_bytes(2, "big") + method_id.to_bytes(2, "big") + rest
    return b"\x01\x00\x01" + len(body).to_bytes(4, "big") + body + b"\xce"


@pytest.mark.parametrize(
    ("point", "seen", "other"),
    [
        (PUBLISH_SENT, frame(60, 40, b"\x00\x00\x0bgame_events\x08reminder\x01"), frame(60, 80, bytes(9))),
        (PUBLISH_CONFIRMED, frame(60, 80, bytes(9)), frame(60, 120, bytes(9))),
        (ACK_SENT, frame(60, 80, bytes(9)), frame(60, 60, bytes(9))),
    ],
)
def test_an_injection_point_is_recognised_by_its_frame(point, seen, other):
    assert point.pattern.search(b"\x08\x00\x00" + seen)
    assert not point.pattern.search(other)
