"""The wires of the fault matrix, with a server that repeats what it hears."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from tests.chaos.links import Fate, Link, Towards
from tests.chaos.moments import ACKS, CONFIRMED, PUBLISHES, Moment, Tripwire
from tests.support.waiting import WAIT_TIMEOUT

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(repeat, "127.0.0.1", 0)
    async with server, Link("127.0.0.1", server.sockets[0].getsockname()[1]).serving() as made:
        yield made


@pytest.fixture
async def connect(link: Link) -> AsyncIterator[Callable[[], Awaitable[Pair]]]:
    opened: list[Pair] = []

    async def connect() -> Pair:
        opened.append(await asyncio.open_connection("127.0.0.1", link.port))
        return opened[-1]

    yield connect
    for _, writer in opened:
        writer.transport.abort()


async def ask(pair: Pair, words: bytes, *, within: float = WAIT_TIMEOUT) -> bytes:
    pair[1].write(words)
    async with asyncio.timeout(within):
        return await pair[0].readexactly(len(words))


async def test_what_is_said_is_passed_on(connect):
    assert await ask(await connect(), b"hello") == b"hello"


async def test_a_silent_link_says_nothing_and_delivers_all_when_it_is_restored(link, connect):
    pair = await connect()
    await ask(pair, b"before")
    link.silence()
    with pytest.raises(TimeoutError):
        await ask(pair, b"hello", within=0.1)
    link.restore()
    async with asyncio.timeout(WAIT_TIMEOUT):
        assert await pair[0].readexactly(5) == b"hello"


async def test_a_cut_resets_connections_and_takes_new_ones(link, connect):
    pair = await connect()
    await ask(pair, b"before")
    await link.cut()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await ask(pair, b"hello")
    assert await ask(await connect(), b"again") == b"again"


async def test_a_tripwire_acts_once_in_order_and_keeps_the_last_bytes_back(link, connect):
    acted = []

    async def act() -> Fate:
        acted.append(True)
        return Fate.CUT

    asks, answers = (Moment("l", way, re.compile(b"x")) for way in (Towards.SERVER, Towards.CLIENT))
    wire = Tripwire(asks, answers, act=act, skipped=1)
    wire.stretch({"l": link})
    pair = await connect()
    assert await ask(pair, b"axa") == b"axa"
    assert await ask(pair, b"bbb") == b"bbb"
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await ask(pair, b"cxc")
    assert acted == [True]
    assert await ask(await connect(), b"xxx") == b"xxx"
    assert acted == [True]


def frame(class_id: int, method_id: int, rest: bytes) -> bytes:
    body = class_id.to_bytes(2, "big") + method_id.to_bytes(2, "big") + rest
    return b"\x01\x00\x01" + len(body).to_bytes(4, "big") + body + b"\xce"


@pytest.mark.parametrize(
    ("moment", "seen", "other"),
    [
        (PUBLISHES, frame(60, 40, b"\x00\x00\x0bgame_events\x08reminder\x01"), frame(60, 80, bytes(9))),
        (CONFIRMED, frame(60, 80, bytes(9)), frame(60, 120, bytes(9))),
        (ACKS, frame(60, 80, bytes(9)), frame(60, 60, bytes(9))),
    ],
)
def test_a_moment_is_known_by_its_frame(moment, seen, other):
    assert moment.pattern.search(b"\x08\x00\x00" + seen)
    assert not moment.pattern.search(other)
