"""A running leader election, for the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from controllers.leader_election import LeaderElection, LeadershipState
from sandbox.servers.postgres import Postgres
from shared import process
from shared.schedule.retry import Backoff
from shared.settings import DatabaseSettings, Timing
from tests.support.waiting import eventually


def settings_of(server: Postgres) -> DatabaseSettings:
    """The settings of a server."""
    return DatabaseSettings(url=SecretStr(server.url))


@asynccontextmanager
async def leading(settings: DatabaseSettings, *, namespace: str) -> AsyncIterator[LeaderElection]:
    """Take part in an election for a block, which begins when the leader is known."""
    leadership = LeaderElection(settings, Timing(), namespace=namespace)
    work = process.run_forever("leadership", leadership.run, backoff=Backoff(first=0.2, longest=0.5))
    task = asyncio.create_task(work)
    try:
        await eventually(lambda: leadership.state is not LeadershipState.UNKNOWN)
        yield leadership
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
