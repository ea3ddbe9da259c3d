from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from shared.listening import ALL, listen

DUAL = socket.has_dualstack_ipv6()


@pytest.fixture
async def runner() -> AsyncIterator[web.AppRunner]:
    made = web.AppRunner(web.Application())
    await made.setup()
    yield made
    await made.cleanup()


async def _answers(runner: web.AppRunner, host: str) -> bool:
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/") as response:
        return response.status == 404


async def test_all_addresses_are_those_of_both_families(runner: web.AppRunner) -> None:
    await listen(runner, ALL, 0)
    assert await _answers(runner, "127.0.0.1")
    if DUAL:
        assert await _answers(runner, "[::1]")


async def test_a_machine_without_ipv6_listens_on_ipv4(runner: web.AppRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    await listen(runner, ALL, 0)
    assert await _answers(runner, "127.0.0.1")


async def test_a_taken_port_is_an_error(runner: web.AppRunner) -> None:
    await listen(runner, ALL, 0)
    with pytest.raises(OSError, match="in use"):
        await listen(runner, ALL, runner.addresses[0][1])
