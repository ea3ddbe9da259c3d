"""The lock that says which replica writes, in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from controllers import leader_election as module
from controllers.leader_election import LeaderElection, LeadershipState
from sandbox.servers.postgres import Postgres
from shared.errors import ConfigurationError
from shared.settings import DatabaseSettings, Timing
from tests.controlplane.leading import leading, settings_of
from tests.support.waiting import eventually


@pytest.fixture
def namespace() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


async def test_one_of_two_replicas_leads(postgres_server: Postgres, namespace: str) -> None:
    settings = settings_of(postgres_server)
    async with leading(settings, namespace=namespace) as one, leading(settings, namespace=namespace) as two:
        assert (one.state, two.state) == (LeadershipState.LEADER, LeadershipState.FOLLOWER)


async def test_each_namespace_has_its_own_leader(postgres_server: Postgres, namespace: str) -> None:
    settings = settings_of(postgres_server)
    async with leading(settings, namespace=namespace) as one, leading(settings, namespace=f"{namespace}-b") as two:
        assert (one.state, two.state) == (LeadershipState.LEADER, LeadershipState.LEADER)


async def test_the_other_replica_leads_within_seconds_when_the_leader_dies(
    postgres_server: Postgres, namespace: str
) -> None:
    settings = settings_of(postgres_server)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(leading(settings, namespace=namespace))
        async with leading(settings, namespace=namespace) as other:
            assert other.state is LeadershipState.FOLLOWER
            await stack.aclose()
            await eventually(lambda: other.state is LeadershipState.LEADER)


async def test_one_replica_leads_again_after_a_database_failover(postgres_server: Postgres, namespace: str) -> None:
    settings = settings_of(postgres_server)
    async with leading(settings, namespace=namespace) as one, leading(settings, namespace=namespace) as two:
        await postgres_server.terminate_backends()
        expected = {LeadershipState.LEADER, LeadershipState.FOLLOWER}
        await asyncio.sleep(module.CHECK_INTERVAL)
        await eventually(lambda: {one.state, two.state} == expected)


async def test_the_leader_is_unknown_while_the_database_is_down(postgres_server: Postgres, namespace: str) -> None:
    async with leading(settings_of(postgres_server), namespace=namespace) as alone:
        await postgres_server.stop()
        try:
            await eventually(lambda: alone.state is LeadershipState.UNKNOWN)
            assert alone.last_known is LeadershipState.LEADER
        finally:
            await postgres_server.start()
        await eventually(lambda: alone.state is LeadershipState.LEADER)


async def test_a_frozen_leader_is_replaced_and_knows_it_when_it_resumes(
    postgres_server: Postgres, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SESSION_TIMEOUT", 2.0)
    monkeypatch.setattr(module, "TRUSTED", 1.5)
    settings = settings_of(postgres_server)
    leads, thaw, thawed = threading.Event(), threading.Event(), []

    async def be_frozen() -> None:
        async with leading(settings, namespace=namespace) as frozen:
            leads.set()
            await asyncio.sleep(0)
            thaw.wait(30)
            thawed.append(frozen.state)

    thread = threading.Thread(target=lambda: asyncio.run(be_frozen()))
    thread.start()
    await asyncio.to_thread(leads.wait, 10)
    began = time.monotonic()
    async with leading(settings, namespace=namespace) as other:
        await eventually(lambda: other.state is LeadershipState.LEADER)
        assert time.monotonic() - began < 10, "that is what it would take without the shorter time-out"
        thaw.set()
        await asyncio.to_thread(thread.join, 10)
    assert thawed == [LeadershipState.UNKNOWN]


@pytest.mark.parametrize("wrong", ["user", "database"])
async def test_a_wrong_url_is_a_configuration_error(wrong: str, postgres_server: Postgres, namespace: str) -> None:
    scheme, _, rest = postgres_server.url.partition("://")
    credentials, _, place = rest.partition("@")
    address = place.partition("/")[0]
    url = (
        f"{scheme}://nobody:nothing@{place}"
        if wrong == "user"
        else f"{scheme}://{credentials}@{address}/no_such_database"
    )
    with pytest.raises(ConfigurationError, match="QUESTBELL_DATABASE_URL"):
        await LeaderElection(DatabaseSettings(url=SecretStr(url)), Timing(), namespace=namespace).run()
