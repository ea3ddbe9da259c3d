"""The accounts on the bundled servers, and which Secret each workload gets.

The permissions in RabbitMQ are tried on a broker. tests/cluster runs everything with the accounts, in PostgreSQL too.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused
from pydantic import SecretStr

from cli.commands.check.result import CheckStatus
from cli.commands.check.servers import check_broker
from sandbox.servers.rabbitmq import RabbitMQ
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.topology import EXCHANGE, NOTICES, QUEUES, REMINDERS
from shared.settings import BrokerSettings
from tests.support.broker import declare_all, take
from tests.support.helm import RELEASE, SANDBOX, Helm, Rendered, Values


@pytest.fixture
async def controllers(
    sandbox: Rendered, broker: BrokerSettings, rabbitmq_server: RabbitMQ
) -> AsyncIterator[BrokerSettings]:
    async with rabbitmq_server.user(_vhost(broker), _permissions(sandbox, "questbell")) as url:
        yield BrokerSettings(url=SecretStr(url))


@pytest.fixture
async def bot(
    sandbox: Rendered, broker: BrokerSettings, rabbitmq_server: RabbitMQ, controllers: BrokerSettings
) -> AsyncIterator[BrokerSettings]:
    """The bot's account, where the controllers' has declared the topology."""
    async with connected(controllers, name="test") as connection:
        await declare_all(connection)
        assert all([await topology.exists(connection, queue) for queue in QUEUES])
    async with rabbitmq_server.user(_vhost(broker), _permissions(sandbox, "questbell_bot")) as url:
        yield BrokerSettings(url=SecretStr(url))


async def test_the_bot_consumes_what_the_controllers_publish(controllers: BrokerSettings, bot: BrokerSettings) -> None:
    async with connected(controllers, name="test") as connection:
        exchange = await (await connection.channel()).get_exchange(EXCHANGE, ensure=True)
        for queue in QUEUES:
            await exchange.publish(aio_pika.Message(queue.name.encode()), queue.routing_key, mandatory=True)
        for queue in QUEUES:
            assert (await take(bot, queue.name)).body == queue.name.encode()


async def test_what_the_bot_rejects_reaches_the_controllers(controllers: BrokerSettings, bot: BrokerSettings) -> None:
    async with connected(controllers, name="test") as connection, connected(bot, name="test") as bots:
        exchange = await (await connection.channel()).get_exchange(EXCHANGE, ensure=True)
        await exchange.publish(aio_pika.Message(b"rejected"), REMINDERS.routing_key, mandatory=True)
        queue = await (await bots.channel()).get_queue(REMINDERS.name)
        message = await queue.get(fail=True)
        await message.reject(requeue=False)
        assert (await take(controllers, REMINDERS.dead_letters)).body == b"rejected"


async def _declare(channel: AbstractChannel) -> None:
    await channel.declare_queue(NOTICES.name, durable=True, arguments=NOTICES.arguments)


async def _publish(channel: AbstractChannel) -> None:
    exchange = await channel.get_exchange(EXCHANGE, ensure=True)
    await exchange.publish(aio_pika.Message(b""), REMINDERS.routing_key)


async def _publish_directly(channel: AbstractChannel) -> None:
    await channel.default_exchange.publish(aio_pika.Message(b""), REMINDERS.name)


async def _read_dead_letters(channel: AbstractChannel) -> None:
    await (await channel.get_queue(REMINDERS.dead_letters)).get(fail=False)


async def _delete(channel: AbstractChannel) -> None:
    await channel.queue_delete(REMINDERS.name)


async def _unbind(channel: AbstractChannel) -> None:
    await (await channel.get_queue(REMINDERS.name)).unbind(EXCHANGE, REMINDERS.routing_key)


@pytest.mark.parametrize("act", [_declare, _publish, _publish_directly, _read_dead_letters, _delete, _unbind])
async def test_the_bot_may_do_nothing_else(act: Any, bot: BrokerSettings) -> None:
    async with connected(bot, name="test") as connection:
        channel = await connection.channel()
        with pytest.raises(ChannelAccessRefused):
            await act(channel)


async def test_the_controllers_cannot_touch_other_queues(controllers: BrokerSettings) -> None:
    async with connected(controllers, name="test") as connection:
        with pytest.raises(ChannelAccessRefused):
            await (await connection.channel()).declare_queue("of-another-program", durable=True)


async def test_questbell_check_passes_with_the_account_of_the_bot(bot: BrokerSettings) -> None:
    assert {result.status for result in await check_broker(bot)} == {CheckStatus.PASSED}


def test_no_account_is_an_administrator(sandbox: Rendered) -> None:
    users = {user["name"]: user["tags"] for user in _definitions(sandbox)["users"]}
    assert users == {"questbell": [], "questbell_bot": []}


def test_each_account_has_its_own_secret(sandbox: Rendered) -> None:
    assert _sources(sandbox, "controllers", "database") == {
        "QUESTBELL_DATABASE_URL": f"{RELEASE}-postgresql",
        "QUESTBELL_DATABASE_OWNER_URL": f"{RELEASE}-postgresql-owner",
    }
    assert _sources(sandbox, "controllers", "secrets")["QUESTBELL_AMQP_URL"] == f"{RELEASE}-rabbitmq"
    assert _sources(sandbox, "bot", "secrets")["QUESTBELL_AMQP_URL"] == f"{RELEASE}-rabbitmq-bot"
    urls = {secret["metadata"]["name"]: secret["data"] for secret in sandbox.all("Secret")}
    assert len({data["password"] for data in urls.values() if "password" in data}) == 4


@pytest.mark.parametrize(
    ("values", "owner", "bot"),
    [
        ({"postgresql": {"auth": {"existingSecret": "db"}}}, "db", f"{RELEASE}-rabbitmq-bot"),
        ({"rabbitmq": {"auth": {"existingSecret": "mq"}}}, f"{RELEASE}-postgresql-owner", "mq"),
        (
            {
                "postgresql": {"auth": {"existingSecret": "db", "existingOwnerSecret": "db-owner"}},
                "rabbitmq": {"auth": {"existingSecret": "mq", "existingBotSecret": "mq-bot"}},
            },
            "db-owner",
            "mq-bot",
        ),
        (
            {
                "postgresql": {"enabled": False},
                "externalPostgresql": {"url": "postgresql://a@b/c", "owner": {"existingSecret": {"name": "owner"}}},
                "rabbitmq": {"enabled": False},
                "externalRabbitmq": {"existingSecret": {"name": "mq"}, "bot": {"url": "amqp://bot@mq/"}},
            },
            "owner",
            f"{RELEASE}-external-rabbitmq-bot",
        ),
        (
            {"postgresql": {"enabled": False}, "externalPostgresql": {"url": "postgresql://a@b/c"}},
            f"{RELEASE}-external-postgresql",
            f"{RELEASE}-rabbitmq-bot",
        ),
    ],
)
def test_one_secret_of_the_user_may_serve_for_both_accounts(values: Values, owner: str, bot: str, helm: Helm) -> None:
    rendered = helm.template({**SANDBOX, **values})
    assert _sources(rendered, "controllers", "database")["QUESTBELL_DATABASE_OWNER_URL"] == owner
    assert _sources(rendered, "bot", "secrets")["QUESTBELL_AMQP_URL"] == bot
    created = {secret["metadata"]["name"] for secret in rendered.all("Secret")}
    assert created & {owner, bot} == {name for name in (owner, bot) if name.startswith(RELEASE)}


def _sources(rendered: Rendered, component: str, volume: str) -> dict[str, str]:
    """Return the Secret of each file in a volume."""
    [found] = [entry for entry in rendered.pods()[component]["spec"]["volumes"] if entry["name"] == volume]
    secrets = [source["secret"] for source in found["projected"]["sources"]]
    return {secret["items"][0]["path"]: secret["name"] for secret in secrets}


def _definitions(rendered: Rendered) -> Any:
    script = rendered.of("ConfigMap", "rabbitmq")["data"]["start.sh"]
    return json.loads(script.partition("<<JSON\n")[2].partition("\nJSON\n")[0])


def _permissions(rendered: Rendered, user: str) -> dict[str, str]:
    [found] = [entry for entry in _definitions(rendered)["permissions"] if entry["user"] == user]
    return {action: found[action] for action in ("configure", "write", "read")}


def _vhost(broker: BrokerSettings) -> str:
    return unquote(urlsplit(broker.url.get_secret_value()).path.removeprefix("/"))
