"""The name server of an Erlang node, byte by byte."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest

from sandbox.servers.erlang_names import NameServer
from sandbox.servers.network import HOST, free_port
from tests.support.waiting import WAIT_TIMEOUT, eventually

REGISTRATION = b"x" + struct.pack(">HBBHHH", 25_001, 77, 0, 6, 5, 3) + b"own" + struct.pack(">H", 0)
UNKNOWN = b"w\x01"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    port = free_port()
    async with NameServer(port, {"peer": 25_002}).serving():
        yield port


async def ask(port: int, request: bytes) -> bytes:
    async with asyncio.timeout(WAIT_TIMEOUT):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(struct.pack(">H", len(request)) + request)
        answer = await reader.read()
        writer.close()
    return answer


async def test_a_peer_is_found_where_its_proxy_listens(port: int) -> None:
    answer = await ask(port, b"zpeer")
    assert answer == b"w\x00" + struct.pack(">HBBHHH", 25_002, 77, 0, 6, 5, 4) + b"peer" + struct.pack(">H", 0)


async def test_an_unknown_node_is_not_found(port: int) -> None:
    assert await ask(port, b"zother") == UNKNOWN


async def test_the_node_is_registered_until_its_connection_ends(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(struct.pack(">H", len(REGISTRATION)) + REGISTRATION)
    assert await reader.readexactly(6) == b"v\x00" + struct.pack(">I", 1)
    assert await ask(port, b"n") == struct.pack(">I", port) + b"name own at port 25001\n"
    assert (await ask(port, b"zown"))[2:4] == struct.pack(">H", 25_001)
    writer.close()

    async def is_forgotten() -> bool:
        return await ask(port, b"zown") == UNKNOWN

    await eventually(is_forgotten)
