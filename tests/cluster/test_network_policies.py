"""Which pods may connect to which, on a cluster that enforces the chart's NetworkPolicies.

Most network plugins do, and some only take them; so this is first found out. Every connection is tried before the
policies are there, too: that nobody gets through afterwards means something only where somebody did before.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.clusters import Cluster
from tests.cluster.conftest import Trial
from tests.cluster.kubectl import Kubectl, Pod
from tests.cluster.release import WORKLOADS
from tests.support.helm import RELEASE
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

REACHED = """
for target; do
    timeout 2 bash -c "exec 3<>/dev/tcp/${target/://}" 2>/dev/null && echo "$target" &
done
wait
"""
"""Prints which of its arguments, each an address and a port, accept a connection; all images have bash."""
STRANGER, PORT = "stranger", 8080
STARTED_WITHIN = 60.0
ENFORCED_WITHIN = 20.0
"""Seconds until a network plugin that enforces policies applies a new one."""
DELIVERED_WITHIN = 30.0
DENY_ALL = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny-all"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}

API_SERVER, OUTSIDE = "api-server:443", f"outside:{PORT}"
METRICS = {"bot:8080", "controllers:8080", "rabbitmq:15692"}
SERVERS = {"postgresql:5432", "rabbitmq:5672"}
FOR_NOBODY_ELSE = {"discord:8080", "discord:8090", "rabbitmq:15672", "rabbitmq:25672", "rabbitmq:4369"}
PLACES = METRICS | SERVERS | FOR_NOBODY_ELSE | {API_SERVER, OUTSIDE}
MAY_REACH = {
    "neighbour": METRICS | {API_SERVER, OUTSIDE},
    "outside": METRICS | {API_SERVER},
    "bot": SERVERS | {"discord:8090"},
    "controllers": SERVERS | {API_SERVER},
    "postgresql": set[str](),
    "rabbitmq": set[str](),
    "discord": set[str](),
}
"""What each pod may reach, except itself. The first two belong to nobody: only the release's policies keep them out."""

Body = dict[str, Any]
Reach = dict[str, set[str]]


@dataclass(frozen=True)
class Guarded:
    """What was reachable before and after a release got its policies."""

    before: Reach
    after: Reach
    uids_before: set[str]
    uids_after: set[str]
    """The uids of the pods."""


@pytest.fixture(scope="module")
async def outside(trial: Trial, cluster: Cluster) -> AsyncIterator[Kubectl]:
    """A namespace with a foreign pod, on a cluster that enforces policies; another such pod is beside the release."""
    outside = await cluster.add_namespace("outside")
    [bot] = await trial.kubectl.pods("bot")
    stranger = json.dumps(_listening(bot.body["spec"]["containers"][0]["image"]))
    try:
        for kubectl in (trial.kubectl, outside):
            await kubectl("apply", "--filename", "-", stdin=stranger)
        for kubectl in (trial.kubectl, outside):
            wait = ("--for=condition=Ready", f"--timeout={STARTED_WITHIN:.0f}s")
            await kubectl("wait", f"pod/{STRANGER}", *wait, within=STARTED_WITHIN + 5)
        if not await _enforced(outside, neighbour=trial.kubectl):
            pytest.skip("this cluster accepts NetworkPolicies and does not enforce them")
        yield outside
    finally:
        await trial.kubectl("delete", "pod", STRANGER, "--ignore-not-found", "--now")
        await cluster.kubectl()("delete", "namespace", outside.namespace, "--wait=false")


@pytest.fixture(scope="module")
async def guarded(trial: Trial, outside: Kubectl) -> Guarded:
    """The release, upgraded to have policies. It keeps them, so the tests that follow run with them as well."""
    await trial.settled()
    places = await _places(trial, outside)
    before = after = await _reach_of_each(trial, outside, places)
    uids = {pod.uid for pod in await trial.kubectl.pods()}
    await trial.upgrade("--set", "networkPolicy.enabled=true")

    async def enforced() -> bool:
        nonlocal after
        after = await _reach_of_each(trial, outside, places)
        return after == MAY_REACH

    with suppress(AssertionError):  # the tests report what is wrong
        await eventually(enforced, within=ENFORCED_WITHIN, what="the release's policies to be enforced")
    return Guarded(before, after, uids, {pod.uid for pod in await trial.kubectl.pods()})


async def test_every_port_of_a_service_is_open(trial: Trial) -> None:
    """A cluster without IPv4 shows which server listens on IPv4 alone."""
    listed = await trial.kubectl.json("get", "services")
    ports = {
        (service["metadata"]["name"], port["port"]) for service in listed["items"] for port in service["spec"]["ports"]
    }
    targets = {f"{name}:{port}" for name, port in ports}

    async def are_open() -> bool:
        command = ("bash", "-c", REACHED, "bash", *sorted(targets))
        reached = await trial.kubectl("exec", f"deployment/{RELEASE}-bot", "--", *command)
        return set(reached.split()) == targets

    await eventually(are_open, within=STARTED_WITHIN, what=f"an answer from each of {sorted(targets)}")


def test_every_pod_reaches_everything_without_policies(guarded: Guarded) -> None:
    assert guarded.before == {who: {place for place in PLACES if not _is_of(who, place)} for who in MAY_REACH}


@pytest.mark.parametrize("who", ["neighbour", "outside"])
def test_a_foreign_pod_reaches_only_the_metrics_of_a_release(guarded: Guarded, who: str) -> None:
    assert guarded.after[who] == MAY_REACH[who]


@pytest.mark.parametrize("who", ["bot", "controllers", "postgresql", "rabbitmq", "discord"])
def test_a_pod_reaches_what_it_needs_and_nothing_else(guarded: Guarded, who: str) -> None:
    assert guarded.after[who] == MAY_REACH[who]


def test_policies_restart_nothing(guarded: Guarded) -> None:
    assert guarded.uids_after == guarded.uids_before


@pytest.mark.usefixtures("guarded")
async def test_a_release_starts_and_delivers_reminders_behind_policies(
    trial: Trial, measured: Callable[[str], None]
) -> None:
    """Its pods are restarted: a policy does not end connections that exist already."""
    before = await _last_dispatch(trial)
    workloads = [f"deployment/{RELEASE}-{name}" for name in WORKLOADS]
    workloads += [f"statefulset/{RELEASE}-{name}" for name in ("postgresql", "rabbitmq")]
    await trial.kubectl("rollout", "restart", *workloads)
    for workload in workloads:
        await trial.kubectl("rollout", "status", workload, within=110)
    await trial.settled()
    verdict = await trial.verdict(await trial.schedule("behind policies", count=10), within=DELIVERED_WITHIN)
    measured(f"behind network policies: {verdict}")
    assert verdict.exactly_once, verdict

    async def shown() -> bool:
        return await _last_dispatch(trial) > before

    await eventually(shown, within=DELIVERED_WITHIN, what="the last dispatch in the status of a Scheduler")


@pytest.mark.usefixtures("guarded")
async def test_helm_test_passes_behind_policies(trial: Trial) -> None:
    said = await trial.helm("test", RELEASE, "--logs", within=200)
    assert "bot: ready" in said
    assert "controllers: ready" in said


async def _last_dispatch(trial: Trial) -> str:
    body = await trial.kubectl.json("get", "scheduler", "notifications")
    return str(body["status"]["lastDispatch"])


async def _enforced(guarded: Kubectl, *, neighbour: Kubectl) -> bool:
    """Return whether a policy that denies everything separates two foreign pods."""
    target = f"{_address(await _stranger(guarded))}:{PORT}"

    async def is_open() -> bool:
        return target in await _reached(neighbour, STRANGER, [target])

    async def is_closed() -> bool:
        return not await is_open()

    await eventually(is_open, within=STARTED_WITHIN, what="a stranger to be reached")
    policy = json.dumps(DENY_ALL)
    await guarded("apply", "--filename", "-", stdin=policy)
    try:
        await eventually(is_closed, within=ENFORCED_WITHIN, what="a policy to be enforced")
    except AssertionError:
        return False
    finally:
        await guarded("delete", "--filename", "-", stdin=policy)
    await eventually(is_open, within=ENFORCED_WITHIN, what="a policy that is gone to be enforced no more")
    return True


async def _places(trial: Trial, outside: Kubectl) -> dict[str, str]:
    """Return the name of each place by its address and port."""
    service = await outside.json("get", "service", "kubernetes", "--namespace", "default")
    addresses = {"api-server": service["spec"]["clusterIP"], "outside": _address(await _stranger(outside))}
    for name in MAY_REACH.keys() - {"neighbour", "outside"}:
        addresses[name] = _address((await trial.kubectl.pods(name))[0])
    named = [place.partition(":") for place in PLACES]
    return {f"{addresses[name]}:{port}": f"{name}:{port}" for name, _, port in named}


async def _reach_of_each(trial: Trial, outside: Kubectl, places: Mapping[str, str]) -> Reach:
    """Return what each pod reaches, except itself."""

    async def reach_of(who: str) -> set[str]:
        tried = [target for target, place in places.items() if not _is_of(who, place)]
        kubectl = outside if who == "outside" else trial.kubectl
        pod = STRANGER if who in ("neighbour", "outside") else (await trial.kubectl.pods(who))[0].name
        return {places[target] for target in await _reached(kubectl, pod, tried)}

    reached = await asyncio.gather(*map(reach_of, MAY_REACH))
    return dict(zip(MAY_REACH, reached, strict=True))


async def _reached(kubectl: Kubectl, pod: str, targets: Collection[str]) -> set[str]:
    return set((await kubectl("exec", pod, "--", "bash", "-c", REACHED, "reached", *targets)).split())


def _is_of(who: str, place: str) -> bool:
    return place.startswith(f"{who}:")


async def _stranger(kubectl: Kubectl) -> Pod:
    return Pod.of(await kubectl.json("get", "pod", STRANGER))


def _address(pod: Pod) -> str:
    return str(pod.body["status"]["podIP"])


def _listening(image: str) -> Body:
    """Return a restricted pod that only listens."""
    container = {
        "name": STRANGER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "http.server", str(PORT), "--directory", "/tmp"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": STRANGER}, "spec": spec}
