"""A PostgreSQL node that vanishes without closing its connections, while a healthy one answers at its address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from controllers.leader_election import LeaderElection, LeadershipState
from controllers.loops.notify_listener import NotifyListener
from sandbox.servers.fault_proxy import FaultProxy
from shared import database as db
from shared.database import connection as connecting
from shared.errors import TransientError
from shared.schedule.notify import CHANNEL
from shared.settings import DatabaseSettings, Timing
from tests.support.database import Database
from tests.support.waiting import eventually

POOL_SIZE = 20
RECOVERY = 15.0
"""Seconds within which everything must work again."""


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[FaultProxy]:
    parts = urlsplit(database.settings.url.get_secret_value())
    async with FaultProxy(parts.hostname or "", parts.port or 0).serving() as running:
        yield running


@pytest.fixture
def settings(database: Database, proxy: FaultProxy) -> DatabaseSettings:
    url = database.settings.url.get_secret_value()
    through = url.replace(f":{urlsplit(url).port}/", f":{proxy.port}/")
    return DatabaseSettings(url=SecretStr(through), pool_size=POOL_SIZE)


@pytest.fixture
async def engine(settings: DatabaseSettings, timing: Timing) -> AsyncIterator[AsyncEngine]:
    async with db.engine(settings, application_name="test", timing=timing) as opened:
        yield opened


@pytest.fixture
async def full_pool(engine: AsyncEngine) -> db.Sessions:
    """Sessions of an engine whose pool is full of idle connections."""
    sessions = db.sessions(engine)
    await asyncio.gather(*(_sleep(sessions, 0.2) for _ in range(POOL_SIZE)))
    return sessions


async def _sleep(sessions: db.Sessions, seconds: float) -> None:
    async with db.transaction(sessions) as session:
        await session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


async def _use(sessions: db.Sessions) -> int:
    async with db.transaction(sessions) as session:
        return int((await session.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def test_a_pool_of_dead_connections_costs_one_time_out(full_pool: db.Sessions, proxy: FaultProxy) -> None:
    proxy.abandon()
    began = time.monotonic()
    for _ in range(POOL_SIZE):
        await _use(full_pool)
    assert time.monotonic() - began < connecting.PROBE_TIMEOUT + 2


async def test_users_at_once_need_one_time_out_together(full_pool: db.Sessions, proxy: FaultProxy) -> None:
    proxy.abandon()
    began = time.monotonic()
    await asyncio.gather(*(_use(full_pool) for _ in range(POOL_SIZE)))
    assert time.monotonic() - began < connecting.PROBE_TIMEOUT + 2
    pids = [await _use(full_pool) for _ in range(2 * POOL_SIZE)]
    assert len(set(pids)) <= POOL_SIZE, "connections made after the outage were discarded too"


@pytest.mark.parametrize("moment", ["statement", "commit"])
async def test_work_in_flight_fails_in_time_and_can_be_repeated(
    full_pool: db.Sessions, proxy: FaultProxy, moment: str
) -> None:
    async def work() -> None:
        async with db.transaction(full_pool) as session:
            await session.execute(text("SELECT pg_notify('nobody', '')"))
            proxy.abandon()
            if moment == "statement":
                await session.execute(text("SELECT 1"))

    began = time.monotonic()
    with pytest.raises(TransientError, match="QUESTBELL_DATABASE_URL"):
        await work()
    await _use(full_pool)
    assert time.monotonic() - began < RECOVERY - 3


async def test_a_slow_statement_costs_no_other_connection(
    full_pool: db.Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {await _use(full_pool) for _ in range(POOL_SIZE)}
    with pytest.raises(TransientError, match="statement timeout"):
        async with db.transaction(full_pool) as session:
            await session.execute(text("SET LOCAL statement_timeout = '50ms'"))
            await session.execute(text("SELECT pg_sleep(5)"))
    assert {await _use(full_pool) for _ in range(POOL_SIZE)} == before


async def test_a_server_that_is_silent_from_the_start_is_an_outage_in_seconds(
    settings: DatabaseSettings, proxy: FaultProxy, timing: Timing
) -> None:
    proxy.silence()
    began = time.monotonic()
    with pytest.raises(TransientError, match="did not answer within 5 s"):
        await db.connect(settings, application_name="test", timing=timing)
    assert time.monotonic() - began < connecting.CONNECT_TIMEOUT + 1


async def test_the_listener_and_the_leader_notice_it(
    settings: DatabaseSettings, database: Database, proxy: FaultProxy, timing: Timing
) -> None:
    listener, election = NotifyListener(settings, timing), LeaderElection(settings, timing, namespace="test")
    woken = listener.subscribe()

    async def keep(run: NotifyListener | LeaderElection) -> None:
        while True:
            with contextlib.suppress(TransientError):
                await run.run()

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(keep(listener)), tasks.create_task(keep(election))]
        await eventually(lambda: election.state is LeadershipState.LEADER and woken.is_set())
        proxy.abandon()
        woken.clear()
        await eventually(woken.is_set, within=RECOVERY)  # each new connection wakes the loops
        woken.clear()
        async with db.transaction(database.sessions) as session:
            await session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
        await eventually(woken.is_set, within=1)
        await eventually(lambda: election.state is LeadershipState.LEADER, within=RECOVERY)
        for task in running:
            task.cancel()


async def test_every_socket_is_guarded_by_the_kernel(settings: DatabaseSettings, timing: Timing) -> None:
    connection = await db.connect(settings, application_name="test", timing=timing)
    sock = connection._transport.get_extra_info("socket")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    for name, value in connecting._TCP_OPTIONS.items():
        assert sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == value
    connection.terminate()
