"""How late reminders are when pods of a release fail while two reminders a second are due.

The oracle compares them with what the sandbox Discord accepted. A controllers process that dies or stops may delay a
reminder by a second, one that freezes or is cut off by seven seconds, and the bot by its start and its lease.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.cluster.clusters import Cluster
from tests.cluster.conftest import Trial
from tests.cluster.kubectl import Pod
from tests.cluster.node import root_on_node_of
from tests.cluster.programs import ProgramError
from tests.cluster.release import LEASE, WORKLOADS
from tests.support.helm import RELEASE
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

KILLED, FROZEN = 1.0, 7.0
"""Seconds by which a reminder may be late when a controllers process is killed or stopped, and frozen or cut off."""
DELIVERED_WITHIN = 30.0
"""Seconds to wait for a reminder after its due time; longer than allowed, so that the latency is measured."""
RESTART_WITHIN = 60.0
LIVENESS = 40.0
"""Seconds after which the kubelet has restarted a dead process: three probes, ten seconds apart."""

Measured = Callable[[str], None]


async def test_killing_either_controllers_process_delays_no_reminder(trial: Trial, measured: Measured) -> None:
    await trial.settled()
    for pod in await trial.kubectl.pods("controllers"):
        reminders = await trial.schedule(f"killed {pod.name[-5:]}", count=20)
        await trial.wait_until_delivered(reminders[4])
        await trial.kubectl.inside(pod.name, "send_signal.py", "SIGKILL", "controllers")
        verdict = await trial.verdict(reminders, within=DELIVERED_WITHIN)
        measured(f"kill -9 of a controllers process: {verdict}")
        assert verdict.exactly_once, verdict
        assert verdict.max_latency <= KILLED
        await trial.restarted(pod)


async def test_draining_a_controllers_pod_delays_no_reminder(trial: Trial, measured: Measured) -> None:
    await trial.settled()
    leaving, staying = await trial.kubectl.pods("controllers")
    reminders = await trial.schedule("drained", count=30)
    await trial.wait_until_delivered(reminders[4])
    await _evict(trial, leaving)
    with pytest.raises(ProgramError, match="disruption budget"):
        await _evict(trial, staying)
    verdict = await trial.verdict(reminders, within=DELIVERED_WITHIN)
    measured(f"eviction of a controllers pod: {verdict}")
    assert verdict.exactly_once, verdict
    assert verdict.max_latency <= KILLED
    await trial.replaced(leaving, "controllers")


async def test_a_frozen_replica_delays_the_rows_it_claimed_by_seconds(trial: Trial, measured: Measured) -> None:
    await trial.settled()
    pod, _ = await trial.kubectl.pods("controllers")
    reminders = await trial.schedule("frozen", count=120, together=4)
    await trial.wait_until_delivered(reminders[0])
    held = await trial.kubectl.inside(pod.name, "freeze.py", "20", within=40)
    try:
        verdict = await trial.verdict(reminders, within=DELIVERED_WITHIN)
    finally:
        await trial.kubectl.inside(pod.name, "send_signal.py", "SIGCONT", "controllers")
    measured(f"a controllers process frozen with {held.strip()} due rows: {verdict}")
    assert verdict.exactly_once, verdict
    assert verdict.max_latency <= FROZEN
    await trial.settled()
    verdict = await trial.verdict(reminders, within=DELIVERED_WITHIN)
    assert verdict.exactly_once, f"after it woke up: {verdict}"


async def test_a_replica_without_a_network_delays_the_rows_it_claimed_by_seconds(
    trial: Trial, cluster: Cluster, measured: Measured
) -> None:
    """It is frozen until it is known to hold rows and is cut off; then it continues."""
    await trial.settled()
    pod, _ = await trial.kubectl.pods("controllers")
    async with root_on_node_of(pod, cluster) as root:
        reminders = await trial.schedule("cut off", count=120, together=4)
        await trial.wait_until_delivered(reminders[0])
        try:
            held = await trial.kubectl.inside(pod.name, "freeze.py", "20", within=40)
            await root.cut_off(release=trial.kubectl)
            verdict = await trial.verdict(reminders, within=DELIVERED_WITHIN)
        finally:
            await trial.kubectl("delete", "pod", pod.name, "--force", "--grace-period=0")
    measured(f"a controllers pod cut off from the network with {held.strip()} due rows: {verdict}")
    assert verdict.exactly_once, verdict
    assert verdict.max_latency <= FROZEN
    await trial.settled()
    verdict = await trial.verdict(reminders, within=DELIVERED_WITHIN)
    assert verdict.exactly_once, f"after it was replaced: {verdict}"


async def test_a_rolling_restart_of_the_controllers_loses_and_doubles_nothing(trial: Trial, measured: Measured) -> None:
    await trial.settled()
    reminders = await trial.schedule("rolled", count=120, every=1.0)
    await trial.wait_until_delivered(reminders[2])
    await trial.kubectl("rollout", "restart", f"deployment/{RELEASE}-controllers")
    await trial.kubectl("rollout", "status", f"deployment/{RELEASE}-controllers", within=110)
    await trial.settled()
    verdict = await trial.verdict(await trial.cancel_the_rest(reminders), within=DELIVERED_WITHIN)
    measured(f"rolling restart of the controllers: {verdict}")
    assert verdict.exactly_once, verdict
    assert verdict.max_latency <= KILLED


async def test_a_deleted_bot_delays_reminders_by_its_start_and_the_lease(trial: Trial, measured: Measured) -> None:
    await trial.settled()
    [pod] = await trial.kubectl.pods("bot")
    reminders = await trial.schedule("without a bot", count=40)
    await trial.wait_until_delivered(reminders[4])
    async with trial.absence("bot") as absence:
        await trial.kubectl("delete", "pod", pod.name, "--wait=false")
        await trial.replaced(pod, "bot")
        verdict = await trial.verdict(reminders, within=DELIVERED_WITHIN)
    measured(f"deletion of the bot, away for {absence.longest:.1f} s: {verdict}")
    assert verdict.exactly_once, verdict
    assert verdict.max_latency <= absence.longest + LEASE


async def test_a_killed_bot_delays_reminders_by_its_start_and_the_lease(trial: Trial, measured: Measured) -> None:
    await trial.settled()
    [pod] = await trial.kubectl.pods("bot")
    reminders = await trial.schedule("with a killed bot", count=30)
    await trial.wait_until_delivered(reminders[4])
    async with trial.absence("bot") as absence:
        await trial.kubectl.inside(pod.name, "send_signal.py", "SIGKILL", "bot")
        await trial.restarted(pod)
        verdict = await trial.verdict(reminders, within=DELIVERED_WITHIN)
    measured(f"kill -9 of the bot, away for {absence.longest:.1f} s: {verdict}")
    assert verdict.exactly_once, verdict
    assert verdict.max_latency <= absence.longest + LEASE


async def test_losing_the_database_makes_pods_unready_and_restarts_none(trial: Trial, measured: Measured) -> None:
    await trial.settled()
    before = {pod.uid: pod.restarts for pod in await trial.kubectl.pods(*WORKLOADS)}
    reminders = await trial.schedule("without a database", count=4, every=5.0, first=20.0)
    async with _without_a_database(trial):
        lost_at = time.monotonic()
        await eventually(lambda: _none_is_ready(trial), within=RESTART_WITHIN, what="all pods to be not ready")
        measured(f"database gone: all pods not ready after {time.monotonic() - lost_at:.0f} s")
        await eventually(lambda: _says_why(trial), within=RESTART_WITHIN, what="kubectl describe to name the database")
        await _stays_up(trial, before, until_then=lost_at + LIVENESS)
    back_at = time.time()
    await trial.settled()
    verdict = await trial.verdict(reminders, within=DELIVERED_WITHIN)
    last_delivery = verdict.last_delivery.timestamp() if verdict.last_delivery else 0.0
    measured(f"database back: due reminders are delivered after {last_delivery - back_at:.1f} s ({verdict})")
    assert verdict.exactly_once, verdict
    assert {pod.uid: pod.restarts for pod in await trial.kubectl.pods(*WORKLOADS)} == before


async def test_every_reminder_of_this_file_was_delivered_exactly_once(trial: Trial) -> None:
    verdict = await trial.final_verdict()
    assert verdict.exactly_once, verdict


async def _evict(trial: Trial, pod: Pod) -> None:
    """Evict a pod, as `kubectl drain` does with each pod of a node."""
    metadata = {"name": pod.name, "namespace": trial.kubectl.namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = f"/api/v1/namespaces/{trial.kubectl.namespace}/pods/{pod.name}/eviction"
    await trial.kubectl("create", "--raw", path, "--filename", "-", stdin=json.dumps(eviction))


@asynccontextmanager
async def _without_a_database(trial: Trial) -> AsyncIterator[None]:
    target = f"statefulset/{RELEASE}-postgresql"
    await trial.kubectl("scale", target, "--replicas=0")
    try:
        yield
    finally:
        await trial.kubectl("scale", target, "--replicas=1")


async def _none_is_ready(trial: Trial) -> bool:
    return not any(pod.ready for pod in await trial.kubectl.pods(*WORKLOADS))


async def _says_why(trial: Trial) -> bool:
    said = await trial.kubectl("describe", "scheduler", "notifications")
    return "QUESTBELL_DATABASE_URL" in said


async def _stays_up(trial: Trial, before: dict[str, int], *, until_then: float) -> None:
    """Check until some time that nothing restarts."""

    async def over() -> bool:
        assert {pod.uid: pod.restarts for pod in await trial.kubectl.pods(*WORKLOADS)} == before
        return time.monotonic() >= until_then

    await eventually(over, within=LIVENESS + 30, every=2.0, what="the time after which a pod would have been restarted")
