"""Two replicas on the same resources: both work, one writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from controllers.loops.base import LoopStatus
from controllers.resources.models import SchedulerSpec, Source
from sandbox.servers.postgres import Postgres
from shared.settings import DatabaseSettings
from tests.controlplane.leading import leading, settings_of
from tests.controlplane.operating import Replica, conditions, operating
from tests.support.kubectl import Kubectl
from tests.support.waiting import eventually

WAITING = LoopStatus(ready=False, reason="Waiting", message="The database is down")


@pytest.fixture
def database_settings(postgres_server: Postgres) -> DatabaseSettings:
    return settings_of(postgres_server)


@asynccontextmanager
async def replica(namespace: str, settings: DatabaseSettings, *, name: str) -> AsyncIterator[Replica]:
    """A replica that competes for the leadership."""
    async with (
        leading(settings, namespace=namespace) as leadership,
        operating(namespace, leading=leadership, name=name) as running,
    ):
        await running.started("notifications")
        yield running


async def test_both_replicas_apply_spec_changes_and_one_writes_the_status(
    namespace: str, kubectl: Kubectl, database_settings: DatabaseSettings
) -> None:
    async with (
        replica(namespace, database_settings, name="one") as one,
        replica(namespace, database_settings, name="two") as two,
    ):
        await eventually(lambda: len(one.api.statuses) == 3)
        for batch_size in range(1, 6):
            await kubectl.patch("scheduler/notifications", batchSize=batch_size)
            expected = SchedulerSpec(source=Source.NOTIFICATIONS, batch_size=batch_size)
            await eventually(
                lambda: one.loops.of("notifications").spec == two.loops.of("notifications").spec == expected
            )
        await asyncio.sleep(5)  # both must not write in turn
        assert two.api.statuses == []
        assert len(one.api.statuses) <= 3 + 5
        body = await kubectl.json("get", "scheduler", "notifications")
        assert body["status"]["observedGeneration"] == body["metadata"]["generation"]
        assert not {"finalizers", "annotations"} & body["metadata"].keys()


async def test_the_other_replica_writes_within_seconds_when_the_writer_is_gone(
    namespace: str, kubectl: Kubectl, database_settings: DatabaseSettings
) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(replica(namespace, database_settings, name="one"))
        async with replica(namespace, database_settings, name="two") as two:
            await eventually(lambda: len(one.api.statuses) == 3)
            before = await kubectl.json("get", "scheduler", "notifications")
            await stack.aclose()
            two.loops.of("notifications").reported_stats = {"pending": "4"}
            await eventually(lambda: two.api.statuses)
            after = await kubectl.json("get", "scheduler", "notifications")
            assert after["status"]["pending"] == "4"
            since = [conditions(body)["Ready"]["lastTransitionTime"] for body in (before, after)]
            assert since[0] == since[1], "a change of the writer is not a transition"


async def test_the_writer_goes_on_writing_while_the_database_is_down(
    namespace: str, kubectl: Kubectl, postgres_server: Postgres, database_settings: DatabaseSettings
) -> None:
    async with (
        replica(namespace, database_settings, name="one") as one,
        replica(namespace, database_settings, name="two") as two,
    ):
        await eventually(lambda: len(one.api.statuses) == 3)
        await postgres_server.stop()
        try:
            for running in (one, two):
                running.loops.of("notifications").reported = WAITING
            await asyncio.sleep(7)  # until the last known leadership expires
            one.loops.of("notifications").reported = LoopStatus(False, "Waiting", "The database is still down")
            await eventually(lambda: "still" in str(one.api.statuses[-1]))
        finally:
            await postgres_server.start()
        assert two.api.statuses == []
        body = await kubectl.json("get", "scheduler", "notifications")
        assert conditions(body)["Ready"]["message"] == "The database is still down"
