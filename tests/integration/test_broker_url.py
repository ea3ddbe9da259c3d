"""The virtual host and the several brokers of the URL of RabbitMQ."""

from __future__ import annotations

import asyncio
import time

import pytest
from pydantic import SecretStr

from sandbox.servers.network import free_port
from shared.errors import TransientError
from shared.messaging.connection import CONNECT_TIMEOUT, connected
from shared.settings import BrokerSettings
from tests.support.tcp_server import serving


def settings(url: str) -> BrokerSettings:
    return BrokerSettings(url=SecretStr(url))


async def test_a_missing_virtual_host_is_named(broker: BrokerSettings) -> None:
    url = broker.url.get_secret_value()
    with pytest.raises(TransientError, match=r"QUESTBELL_AMQP_URL.*the virtual host 'no where' does not exist"):
        async with connected(settings(url.rpartition("/")[0] + "/no%20where"), name="test"):
            pass


async def test_brokers_are_tried_in_turn(broker: BrokerSettings) -> None:
    url = broker.url.get_secret_value()
    credentials, _, rest = url.partition("@")

    async def say_nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with serving(say_nothing) as port:
        began = time.monotonic()
        for several in (
            f"{credentials}@127.0.0.1:{free_port()},127.0.0.1:{port},{rest}",
            f"amqp://127.0.0.1:{free_port()},{url}",
        ):
            async with connected(settings(several), name="test") as connection:
                assert not connection.is_closed
        assert time.monotonic() - began < CONNECT_TIMEOUT


async def test_each_broker_says_why_it_is_unavailable() -> None:
    ports = free_port(), free_port()
    with pytest.raises(TransientError) as failed:
        async with connected(settings(f"amqp://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/"), name="test"):
            pass
    assert all(str(port) in str(failed.value) for port in ports)
