"""The API server goes down and comes back, and the watch misses what happened meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kubernetes.aio.client import ApiClient

from controllers.resources.models import SchedulerSpec, Source
from sandbox.servers.control_plane import ControlPlane
from tests.controlplane.operating import operating
from tests.controlplane.proxy import Mode, Proxy
from tests.support import definitions
from tests.support.kubectl import Kubectl
from tests.support.waiting import eventually

OUTAGE = 13.0
"""Seconds of an outage: longer than all of Kopf's retries, so that Kopf ends and is restarted."""


@pytest.fixture
async def proxy(client: ApiClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """A proxy between the operator and the API server; kubectl connects directly."""
    async with Proxy(client).serving() as proxy:
        monkeypatch.setenv("KUBECONFIG", str(proxy.kubeconfig(tmp_path)))
        yield proxy


async def restart(cluster: ControlPlane) -> None:
    """Restart the API server, which forgets the changes that a watch could resume from."""
    await cluster.stop()
    await cluster.start()


@pytest.mark.parametrize("mode", [Mode.CUT, Mode.UNAVAILABLE])
async def test_loops_run_on_without_the_api_server_and_get_changes_when_it_is_back(
    mode: Mode, proxy: Proxy, namespace: str, kubectl: Kubectl
) -> None:
    async with operating(namespace) as replica:
        loop = await replica.started("notifications")
        await eventually(lambda: len(replica.loops.made) == 3)
        proxy.fail(mode)
        await eventually(lambda: replica.resync.problem() is not None)
        await kubectl.patch("scheduler/notifications", batchSize=7)
        await asyncio.sleep(OUTAGE)
        assert loop.running
        assert len(replica.loops.made) == 3, "no loop was restarted"
        proxy.mode = Mode.PASSES
        await eventually(lambda: loop.spec == SchedulerSpec(source=Source.NOTIFICATIONS, batch_size=7))
        await kubectl.apply("Scheduler", "mine", source="Notifications")
        await replica.started("mine")


async def test_the_operator_reconnects_after_the_api_server_restarts(
    cluster: ControlPlane, namespace: str, kubectl: Kubectl
) -> None:
    async with operating(namespace) as replica:
        loop = await replica.started("notifications")
        await cluster.stop()
        try:
            await asyncio.sleep(OUTAGE)
        finally:
            await cluster.start()
        await kubectl.patch("scheduler/notifications", batchSize=7)
        await eventually(lambda: loop.spec == SchedulerSpec(source=Source.NOTIFICATIONS, batch_size=7))
        await kubectl.apply("Scheduler", "mine", source="Notifications")
        await replica.started("mine")
        assert loop.running


async def test_a_deletion_that_the_watch_missed_is_noticed(
    proxy: Proxy, cluster: ControlPlane, namespace: str, kubectl: Kubectl
) -> None:
    async with operating(namespace, list_interval=3.0) as replica:
        loop = await replica.started("notifications")
        proxy.fail(Mode.CUT)
        await kubectl("delete", "scheduler", "notifications")
        await restart(cluster)
        proxy.mode = Mode.PASSES
        await eventually(lambda: not loop.running)
        assert replica.runs("status-transitions")


async def test_a_resource_replaced_during_an_outage_gets_one_new_loop(
    proxy: Proxy, cluster: ControlPlane, namespace: str, kubectl: Kubectl
) -> None:
    async with operating(namespace, list_interval=3.0) as replica:
        old = await replica.started("notifications")
        proxy.fail(Mode.CUT)
        await kubectl("delete", "scheduler", "notifications")
        await kubectl.apply("Scheduler", "notifications", source="StatusTransitions")
        await restart(cluster)
        proxy.mode = Mode.PASSES
        await eventually(lambda: not old.running and replica.runs("notifications"))
        assert replica.loops.of("notifications").spec == SchedulerSpec(source=Source.STATUS_TRANSITIONS)
        assert len([loop for loop in replica.loops.running if loop.resource.name == "notifications"]) == 1


async def test_an_operator_that_starts_before_the_api_server_waits_for_it(proxy: Proxy, namespace: str) -> None:
    proxy.fail(Mode.UNAVAILABLE)

    async def back_later() -> None:
        await eventually(lambda: proxy.requests.total() >= 2)
        proxy.mode = Mode.PASSES

    later = asyncio.create_task(back_later())
    async with operating(namespace) as replica:
        await replica.started("notifications")
    await later


async def test_an_idle_operator_sends_next_to_no_requests(proxy: Proxy, namespace: str) -> None:
    async with operating(namespace) as replica:
        await replica.started("notifications")
        await eventually(lambda: len(replica.api.statuses) == 3)
        await asyncio.sleep(2)
        before = proxy.requests.total()
        await asyncio.sleep(10)  # the test checks that little is sent
        assert proxy.requests.total() - before <= 3, "a ping every five seconds"
        assert proxy.count("PATCH") == 3, "one status for each resource"
        assert not [what for what in proxy.requests if "customresourcedefinitions" in what], "no role in the cluster"


async def test_the_operator_stops_its_thread_and_its_loops(namespace: str) -> None:
    async with operating(namespace) as replica:
        await replica.started("notifications")
        assert "kopf" in {thread.name for thread in threading.enumerate()}
    await eventually(lambda: "kopf" not in {thread.name for thread in threading.enumerate()})
    assert not replica.loops.running


async def test_the_operator_waits_for_missing_definitions_and_creates_the_defaults_in_the_restored_ones(
    client: ApiClient, namespace: str, kubectl: Kubectl
) -> None:
    async with operating(namespace, list_interval=3.0) as replica:
        loop = await replica.started("notifications")
        await kubectl("delete", "crd", *(definition["metadata"]["name"] for definition in definitions.load()))
        try:
            await eventually(lambda: not replica.loops.running)
            await eventually(lambda: "crds.enabled" in (replica.resync.problem() or ""))
        finally:
            await definitions.apply(client)
        assert await replica.started("notifications") is not loop
        await replica.started("status-transitions")
        await replica.started("default")
        await eventually(lambda: replica.resync.problem() is None and replica.resync.missing() is None)
