"""A consumer makes progress in every outage of the broker, so that nothing restarts the bot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from shared import process
from shared.liveness import Watched
from shared.messaging import connection, topology
from shared.messaging.consumer import Consumer
from shared.messaging.envelope import AnyEvent
from shared.schedule.retry import Backoff
from shared.settings import BrokerSettings, Timing
from tests.support.tcp_server import serving


async def handle(_event: AnyEvent) -> None:
    return


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """The port of a server that accepts connections and says nothing."""

    async def accept(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(accept) as port:
        yield port


@pytest.mark.parametrize("broker", ["silent", "gone"])
async def test_a_consumer_without_a_broker_is_not_stalled(
    broker: str, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.3)
    url = f"amqp://user:pass@127.0.0.1:{silent if broker == 'silent' else 9}/"
    consumer = Consumer(BrokerSettings(url=SecretStr(url)), Timing(), queue=topology.REMINDERS, handler=handle)
    watched = Watched("bot.reminders", consumer.run, is_working=lambda: consumer.attached, stalled_after=3.0)
    backoff = Backoff(first=0.1, longest=0.5)
    running = asyncio.create_task(process.run_forever("bot.reminders", watched.run, backoff=backoff))
    try:
        for _ in range(60):
            assert watched.stalled() is None
            await asyncio.sleep(0.1)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait([running])
