"""The life of a resource, from `kubectl apply` to `kubectl delete`, with the operator in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from controllers import kubernetes_api, status_writer
from controllers.loops.base import LoopStatus
from controllers.resources import release
from controllers.resources.models import SchedulerSpec, Source
from controllers.resync import Resync
from controllers.supervisor import Supervisor
from shared.errors import TransientError
from tests.controlplane.operating import RESTART, Replica, conditions, operating
from tests.support.fakes import FakeLoops
from tests.support.kubectl import Kubectl, KubectlError
from tests.support.waiting import WAIT_TIMEOUT, eventually


@pytest.fixture
async def replica(namespace: str) -> AsyncIterator[Replica]:
    async with operating(namespace) as replica:
        await replica.started("notifications")
        yield replica


async def shown(kubectl: Kubectl, what: str, holds: Callable[[Any], bool], *, within: float = WAIT_TIMEOUT) -> Any:
    """Wait until a resource, as kubectl shows it, is as expected; return it."""

    async def expected() -> Any:
        body = await kubectl.json("get", what)
        return body if holds(body) else None

    return await eventually(expected, within=within, what=what)


def says(kind: str, status: str, reason: str | None = None) -> Callable[[Any], bool]:
    """Whether a condition has a status, and a reason."""

    def holds(body: Any) -> bool:
        condition = conditions(body).get(kind, {})
        return condition.get("status") == status and reason in (None, condition.get("reason"))

    return holds


def has(name: str, value: object) -> Callable[[Any], bool]:
    """Whether the status has a field with a value."""
    return lambda body: body.get("status", {}).get(name) == value


async def events(kubectl: Kubectl, name: str) -> list[tuple[str, str]]:
    """Type and reason of the Events of a resource, in order."""
    found = await kubectl.json("get", "events.events.k8s.io")
    ours = [event for event in found["items"] if event["regarding"]["name"] == name]
    return [(event["type"], event["reason"]) for event in sorted(ours, key=lambda event: str(event["eventTime"]))]


async def test_the_default_resources_are_created_and_run(replica: Replica, kubectl: Kubectl) -> None:
    await replica.started("status-transitions")
    await replica.started("default")
    _, *rows = await kubectl.columns("schedulers")
    assert [row[:2] for row in rows] == [
        ["notifications", "Notifications"],
        ["status-transitions", "StatusTransitions"],
    ]


async def test_no_default_scheduler_is_created_beside_a_users_scheduler_of_its_source(
    namespace: str, kubectl: Kubectl
) -> None:
    await kubectl.apply("Scheduler", "mine", source="Notifications", batchSize=7)
    async with operating(namespace) as replica:
        await replica.started("mine")
        await replica.started("status-transitions")
        await replica.started("default")
        assert replica.resync.missing() is None
    listed = (await kubectl.json("get", "schedulers"))["items"]
    assert sorted(item["metadata"]["name"] for item in listed) == ["mine", "status-transitions"]


@pytest.mark.parametrize(
    "deleted", [["scheduler", "--all"], ["scheduler", "notifications"], ["deadletterreconciler", "default"]]
)
async def test_a_deleted_default_comes_back_because_delivery_would_stop_silently(
    deleted: list[str], namespace: str, kubectl: Kubectl
) -> None:
    async with operating(namespace, list_interval=2.0) as replica:
        old = [await replica.started(name) for name in ("notifications", "status-transitions", "default")]
        await kubectl("delete", *deleted)
        gone = await eventually(lambda: [loop for loop in old if not loop.running])
        for loop in gone:
            assert await replica.started(loop.resource.name) is not loop
        await eventually(lambda: replica.resync.missing() is None)


async def test_a_taken_name_is_reported_because_no_default_can_be_created(namespace: str, kubectl: Kubectl) -> None:
    await kubectl.apply("Scheduler", "notifications", source="StatusTransitions")
    async with operating(namespace, list_interval=1.0) as replica:
        await replica.started("notifications")
        problem = await eventually(replica.resync.missing)
        assert "no Scheduler with the source Notifications" in problem
        assert "its name is taken" in problem
        await kubectl.apply("Scheduler", "mine", source="Notifications")
        await eventually(lambda: replica.resync.missing() is None)


async def test_an_unchanged_status_is_written_often_enough_to_show_that_controllers_run(
    namespace: str, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_writer, "HEARTBEAT_INTERVAL", timedelta(seconds=1))
    async with operating(namespace) as replica:
        await replica.started("notifications")
        first = (await shown(kubectl, "scheduler/notifications", says("Ready", "True")))["status"]["lastUpdate"]
        later = await shown(
            kubectl, "scheduler/notifications", lambda body: body["status"].get("lastUpdate", first) != first
        )
        assert later["status"]["release"] == "questbell"
        seen = await events(kubectl, "notifications")
    assert seen == [("Normal", "Working")], "a heartbeat is no Event"


async def test_a_second_release_in_the_namespace_waits_and_names_the_first(namespace: str, kubectl: Kubectl) -> None:
    async with operating(namespace) as first:
        await first.started("notifications")
        await shown(kubectl, "scheduler/notifications", says("Ready", "True"))
        async with (
            kubernetes_api.connect() as connected,
            Supervisor(FakeLoops(), backoff=RESTART, shutdown_timeout=2) as supervisor,
        ):
            second = Resync(connected, supervisor, namespace, release="another")
            with pytest.raises(TransientError, match="the release questbell operates this namespace") as refused:
                await second.run()
            assert refused.value.retry_after == 30
            assert "questbell" in (second.problem() or "")
            assert not supervisor.known(), "no loop runs"


async def test_a_release_takes_over_from_one_that_is_gone(
    namespace: str, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with operating(namespace, release="old") as old:
        await old.started("notifications")
        await shown(kubectl, "scheduler/notifications", has("release", "old"))
    monkeypatch.setattr(release, "STALE_AFTER", timedelta(seconds=2))
    async with operating(namespace, release="new") as new:
        await new.started("notifications")
        await shown(kubectl, "scheduler/notifications", has("release", "new"))


async def test_a_users_edit_survives_a_restart(namespace: str, kubectl: Kubectl) -> None:
    async with operating(namespace) as replica:
        await replica.started("notifications")
    await kubectl.patch("scheduler/notifications", batchSize=7)
    async with operating(namespace) as replica:
        loop = await replica.started("notifications")
    assert loop.spec == SchedulerSpec(source=Source.NOTIFICATIONS, batch_size=7)


async def test_replicas_that_start_together_create_each_default_once(namespace: str, kubectl: Kubectl) -> None:
    async with operating(namespace) as one, operating(namespace) as two:
        await one.started("notifications")
        await two.started("notifications")
    assert len((await kubectl.json("get", "schedulers"))["items"]) == 2


async def test_a_new_resource_runs_without_waiting_for_the_next_list(replica: Replica, kubectl: Kubectl) -> None:
    await kubectl.apply("Scheduler", "mine", source="Notifications")
    await replica.started("mine")


async def test_a_new_spec_is_applied_without_a_restart(replica: Replica, kubectl: Kubectl) -> None:
    loop = replica.loops.of("notifications")
    await kubectl.patch("scheduler/notifications", batchSize=7)
    await eventually(lambda: loop.spec == SchedulerSpec(source=Source.NOTIFICATIONS, batch_size=7))
    assert loop.running
    body = await shown(kubectl, "scheduler/notifications", has("observedGeneration", 2))
    assert {condition["observedGeneration"] for condition in body["status"]["conditions"]} == {2}


async def test_a_suspended_resource_is_not_ready_and_not_degraded(replica: Replica, kubectl: Kubectl) -> None:
    await kubectl.patch("scheduler/notifications", suspend=True)
    body = await shown(kubectl, "scheduler/notifications", says("Ready", "False", "Suspended"))
    assert conditions(body)["Degraded"]["status"] == "False"
    assert replica.runs("notifications"), "the loop goes on, because the user may resume it"


async def test_a_deleted_resource_is_gone_at_once(replica: Replica, kubectl: Kubectl) -> None:
    loop = replica.loops.of("notifications")
    loop.in_flight = asyncio.Event()
    await kubectl("delete", "scheduler", "notifications", "--wait=true")
    await eventually(
        lambda: (
            replica.supervisor.known()
            and not any(runner.resource.name == "notifications" for runner in replica.supervisor.runners())
        ),
    )
    assert loop.running, "the deletion does not wait for work in flight"
    loop.in_flight.set()
    await eventually(lambda: not loop.running)


async def test_a_resource_of_the_same_name_gets_a_new_loop(replica: Replica, kubectl: Kubectl) -> None:
    old = replica.loops.of("notifications")
    await kubectl("delete", "scheduler", "notifications")
    await kubectl.apply("Scheduler", "notifications", source="StatusTransitions")
    await eventually(lambda: not old.running and replica.runs("notifications"))
    assert replica.loops.of("notifications").spec == SchedulerSpec(source=Source.STATUS_TRANSITIONS)
    await shown(kubectl, "scheduler/notifications", says("Ready", "True"))


async def test_the_status_shows_the_stats_of_the_loop(replica: Replica, kubectl: Kubectl) -> None:
    due = datetime(2099, 1, 1, 20, tzinfo=UTC)
    replica.loops.of("notifications").reported_stats = {"pending": "12", "overdue": "0", "nextDue": due}
    await shown(kubectl, "scheduler/notifications", has("pending", "12"))
    _, row, _ = await kubectl.columns("schedulers")
    assert row[:6] == ["notifications", "Notifications", "True", "12", "0", "2099-01-01T20:00:00Z"]


async def test_the_status_shows_that_a_loop_failed_and_recovered(replica: Replica, kubectl: Kubectl) -> None:
    await shown(kubectl, "scheduler/notifications", says("Ready", "True"))
    replica.loops.broken = RuntimeError("no luck today")
    replica.loops.of("notifications").die(ZeroDivisionError())
    body = await shown(kubectl, "scheduler/notifications", says("Ready", "False", "LoopFailed"))
    assert "It restarts in" in conditions(body)["Ready"]["message"]
    assert conditions(body)["Degraded"]["status"] == "True"
    replica.loops.broken = None
    await shown(kubectl, "scheduler/notifications", says("Ready", "True"))
    await shown(kubectl, "scheduler/notifications", says("Degraded", "False"))


async def test_only_a_changed_condition_becomes_an_event(replica: Replica, kubectl: Kubectl) -> None:
    loop = replica.loops.of("notifications")
    await shown(kubectl, "scheduler/notifications", says("Ready", "True"))
    loop.reported = LoopStatus(ready=False, reason="Waiting", message="The broker is down")
    await shown(kubectl, "scheduler/notifications", says("Ready", "False"))
    loop.reported = LoopStatus(ready=False, reason="Waiting", message="The broker is still down")
    await shown(kubectl, "scheduler/notifications", lambda body: "still" in conditions(body)["Ready"]["message"])
    loop.reported = LoopStatus(ready=True, reason="Working", message="All is well")
    await shown(kubectl, "scheduler/notifications", says("Ready", "True"))
    await shown(kubectl, "scheduler/notifications", says("Degraded", "False"))
    expected = [*[("Normal", "Working")] * 2, *[("Warning", "Waiting")] * 2, ("Normal", "AsExpected")]

    async def are_posted() -> bool:
        return sorted(await events(kubectl, "notifications")) == sorted(expected)

    await eventually(are_posted)
    assert "The broker is down" in await kubectl("describe", "scheduler", "notifications")


async def test_a_loop_that_waits_for_a_server_fails_the_documented_wait(replica: Replica, kubectl: Kubectl) -> None:
    await shown(kubectl, "scheduler/notifications", says("Degraded", "False"))
    wait = ("wait", "--for=condition=Degraded=False", "--timeout=2s", "schedulers", "--all")
    await eventually(partial(kubectl, *wait))
    replica.loops.of("notifications").reported = LoopStatus(False, "Waiting", "PostgreSQL is down")
    body = await shown(kubectl, "scheduler/notifications", says("Degraded", "True", "Waiting"))
    assert conditions(body)["Degraded"]["message"] == "PostgreSQL is down"
    with pytest.raises(KubectlError):
        await kubectl(*wait)


async def test_a_working_loop_may_be_degraded(replica: Replica, kubectl: Kubectl) -> None:
    replica.loops.of("notifications").reported = LoopStatus(
        True, "Working", "All is well", degraded="The queue is full"
    )
    body = await shown(kubectl, "scheduler/notifications", says("Degraded", "True", "NeedsAttention"))
    assert conditions(body)["Ready"]["status"] == "True"


async def test_the_operator_adds_nothing_to_the_metadata(replica: Replica, kubectl: Kubectl) -> None:
    await kubectl.patch("scheduler/notifications", batchSize=7)
    body = await shown(kubectl, "scheduler/notifications", has("observedGeneration", 2))
    assert not {"finalizers", "annotations", "ownerReferences"} & body["metadata"].keys()


async def test_an_idle_resource_is_not_written(replica: Replica, kubectl: Kubectl) -> None:
    await shown(kubectl, "scheduler/notifications", says("Ready", "True"))
    await shown(kubectl, "deadletterreconciler/default", says("Ready", "True"))
    before = await kubectl.json("get", "questbell")
    written = len(replica.api.statuses)
    await asyncio.sleep(6)  # three times the interval of writes: the test checks that nothing is written
    assert len(replica.api.statuses) == written
    versions = [
        [item["metadata"]["resourceVersion"] for item in body["items"]]
        for body in (before, await kubectl.json("get", "questbell"))
    ]
    assert versions[0] == versions[1]
