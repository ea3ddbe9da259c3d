"""The sandbox's servers do what the tests of outages rely on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
import asyncpg
import pytest

from sandbox.servers import (
    ControlPlane,
    Postgres,
    QueueFigures,
    RabbitMQ,
    ServerFailedError,
    control_plane,
    postgres,
)
from sandbox.servers.command import run
from sandbox.servers.network import listens
from tests.support.waiting import WAIT_TIMEOUT, eventually


async def connect(url: str) -> asyncpg.Connection[asyncpg.Record]:
    return await asyncpg.connect(url.replace("+asyncpg", ""), timeout=WAIT_TIMEOUT)


@pytest.fixture
async def database_url(postgres_server: Postgres) -> AsyncIterator[str]:
    """A database with one table of one row."""
    url = await postgres_server.create_database("servers_test")
    connection = await connect(url)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    await connection.close()
    yield url
    await postgres_server.drop_database("servers_test")


async def number_in(url: str) -> int:
    connection = await connect(url)
    try:
        number: int = await connection.fetchval("SELECT number FROM kept")
    finally:
        await connection.close()
    return number


async def test_a_copied_database_has_its_templates_rows(postgres_server: Postgres, database_url: str) -> None:
    copy = await postgres_server.create_database('odd "name', template="servers_test")
    try:
        assert await number_in(copy) == 7
    finally:
        await postgres_server.drop_database('odd "name')


async def test_a_restarted_postgres_has_its_data_at_the_same_address(
    postgres_server: Postgres, database_url: str
) -> None:
    await postgres_server.restart()
    assert await number_in(database_url) == 7


async def test_a_killed_postgres_has_its_data_when_it_is_started_again(
    postgres_server: Postgres, database_url: str
) -> None:
    await postgres_server.kill()
    with pytest.raises(OSError):
        await number_in(database_url)
    await postgres_server.start()
    assert await number_in(database_url) == 7


async def test_terminated_backends_take_their_clients_sessions(postgres_server: Postgres, database_url: str) -> None:
    connection = await connect(database_url)
    await postgres_server.terminate_backends()
    await eventually(lambda: is_closed(connection))


async def is_closed(connection: asyncpg.Connection[asyncpg.Record]) -> bool:
    return bool(connection.is_closed())


async def test_postgres_leaves_nothing_but_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_SANDBOX_SERVERS", "binaries")
    async with postgres(tmp_path, report=print) as server:
        port = urlsplit(server.url).port or 0
        assert await listens(port)
    assert not await listens(port)
    assert names_in(tmp_path) == ["postgres.log"]


def names_in(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


class Vhost(NamedTuple):
    name: str
    url: str


@pytest.fixture
async def vhost(rabbitmq_server: RabbitMQ) -> AsyncIterator[Vhost]:
    """A virtual host whose name must be quoted, with three messages in a quorum queue."""
    name = f"servers test/{uuid4().hex}"
    url = await rabbitmq_server.add_vhost(name)
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("q", durable=True, arguments={"x-queue-type": "quorum"})
        for _ in range(3):
            message = aio_pika.Message(b"", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, "q")
    yield Vhost(name, url)
    await rabbitmq_server.discard_vhost(name)


def holds(server: RabbitMQ, vhost: Vhost, figures: QueueFigures) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return (await server.list_queues(vhost.name)).get("q") == figures

    return look


async def test_figures_tell_ready_from_unacknowledged_messages(rabbitmq_server: RabbitMQ, vhost: Vhost) -> None:
    async with await aio_pika.connect(vhost.url) as connection:
        queue = await (await connection.channel()).get_queue("q")
        await queue.get()
        await eventually(holds(rabbitmq_server, vhost, QueueFigures(ready=2, unacked=1, total=3)))
    assert await rabbitmq_server.list_queues() == {}


async def test_a_restarted_broker_has_its_messages(rabbitmq_server: RabbitMQ, vhost: Vhost) -> None:
    await rabbitmq_server.restart()
    await eventually(holds(rabbitmq_server, vhost, QueueFigures(ready=3, unacked=0, total=3)))


async def test_a_killed_broker_has_its_messages_when_it_is_started_again(
    rabbitmq_server: RabbitMQ, vhost: Vhost
) -> None:
    await rabbitmq_server.restart()  # a broker that dies within a second of declaring a quorum queue forgets its member
    await rabbitmq_server.kill()
    assert not await listens(urlsplit(rabbitmq_server.url).port or 0)
    await rabbitmq_server.start()
    await eventually(holds(rabbitmq_server, vhost, QueueFigures(ready=3, unacked=0, total=3)))


async def test_a_wiped_broker_has_nothing_at_the_same_address(rabbitmq_server: RabbitMQ, vhost: Vhost) -> None:
    await rabbitmq_server.wipe()
    async with await aio_pika.connect(vhost.url) as connection:
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await (await connection.channel()).get_queue("q")


@pytest.fixture(scope="module")
async def api_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    async with control_plane(tmp_path_factory.mktemp("control-plane"), report=print) as server:
        yield server


async def kubectl(server: ControlPlane, *words: str, kubeconfig: Path | None = None) -> str:
    return await run(server.kubectl, f"--kubeconfig={kubeconfig or server.kubeconfig}", *words, within=WAIT_TIMEOUT)


async def test_a_restarted_api_server_has_its_objects(api_server: ControlPlane) -> None:
    await kubectl(api_server, "create", "configmap", "kept")
    await api_server.stop()
    with pytest.raises(ServerFailedError, match="refused"):
        await kubectl(api_server, "get", "configmap", "kept")
    await api_server.start()
    assert "kept" in await kubectl(api_server, "get", "configmap", "kept")


async def test_a_service_account_may_do_only_what_it_was_given(api_server: ControlPlane) -> None:
    kubeconfig = await api_server.kubeconfig_of("operator", namespace="default")
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ServerFailedError, match='"system:serviceaccount:default:operator" cannot list'):
        await kubectl(api_server, "get", "configmaps", kubeconfig=kubeconfig)
    await kubectl(api_server, "create", "role", "reader", "--verb=list", "--resource=configmaps")
    await kubectl(api_server, "create", "rolebinding", "reads", "--role=reader", "--serviceaccount=default:operator")
    await eventually(lambda: may_list(api_server, kubeconfig))


async def may_list(server: ControlPlane, kubeconfig: Path) -> bool:
    try:
        await kubectl(server, "get", "configmaps", kubeconfig=kubeconfig)
    except ServerFailedError:
        return False
    return True
