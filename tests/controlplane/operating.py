"""The Kubernetes side of the controllers in this process, with fake loops and without the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from controllers import kopf_thread, kubernetes_api
from controllers.kubernetes_api import KubernetesApi
from controllers.leader_election import LeaderElection, LeadershipState
from controllers.resources.models import Body, Resource
from controllers.resync import LIST_INTERVAL, Resync
from controllers.status_writer import StatusWriter
from controllers.supervisor import Supervisor
from shared import process
from shared.schedule.retry import Backoff
from tests.support.fakes import FakeLoop, FakeLoops
from tests.support.waiting import WAIT_TIMEOUT, eventually

RESTART = Backoff(first=0.2, longest=1.0)


class SoleLeader:
    """The election of a replica that has no rival."""

    state = LeadershipState.LEADER
    last_known = LeadershipState.LEADER


class CountingApi:
    """Sends the writes of a replica, and remembers them."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self.statuses: list[tuple[str, Body]] = []

    async def replace_status(self, resource: Resource, status: Body) -> Resource:
        self.statuses.append((resource.name, status))
        return await self._api.replace_status(resource, status)

    async def post_event(self, namespace: str, event: Body) -> None:
        await self._api.post_event(namespace, event)


@dataclass
class Replica:
    """One running replica."""

    api: CountingApi
    supervisor: Supervisor
    resync: Resync
    loops: FakeLoops = field(default_factory=FakeLoops)

    def runs(self, name: str) -> bool:
        return self.loops.runs(name)

    async def started(self, name: str, *, within: float = WAIT_TIMEOUT) -> FakeLoop:
        """Wait until a resource's loop runs, and return it."""
        await eventually(lambda: self.loops.runs(name), within=within)
        return self.loops.of(name)


@asynccontextmanager
async def operating(
    namespace: str,
    *,
    leading: LeaderElection | None = None,
    list_interval: float = LIST_INTERVAL,
    name: str = "replica-1",
    release: str = "questbell",
) -> AsyncIterator[Replica]:
    """Run a replica for a block, which begins when it has created the default resources."""
    loops = FakeLoops()
    async with (
        kubernetes_api.connect() as api,
        Supervisor(loops, backoff=RESTART, shutdown_timeout=2) as supervisor,
    ):
        resync = Resync(api, supervisor, namespace, release=release, list_interval=list_interval)
        counting = CountingApi(api)
        election = leading or cast(LeaderElection, SoleLeader())
        writer = StatusWriter(supervisor, counting, election, instance=name, release=release)

        async def watch() -> None:
            await resync.wait_until_usable()
            await kopf_thread.watch(namespace, observe=supervisor.observe, forget=supervisor.forget)

        tasks = [
            asyncio.create_task(process.run_forever(work.__qualname__, work, backoff=RESTART))
            for work in (resync.run, watch, writer.run)
        ]
        try:
            await resync.wait_until_usable()
            yield Replica(counting, supervisor, resync, loops)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def conditions(body: Any) -> dict[str, dict[str, Any]]:
    """The conditions of a resource's JSON, by type."""
    return {condition["type"]: condition for condition in body.get("status", {}).get("conditions", [])}
