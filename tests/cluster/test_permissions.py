"""The permissions of the pods, on a cluster that enforces them: each one is needed, and there are no others."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.cluster.clusters import Cluster
from tests.cluster.conftest import Trial
from tests.cluster.kubectl import Kubectl, Pod
from tests.cluster.programs import ProgramError
from tests.cluster.release import ACCOUNTS, RESOURCES
from tests.support.helm import RELEASE
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
HAS_TOKEN = f"import pathlib; print(pathlib.Path({TOKEN!r}).exists())"
ACCOUNT = "operator"
RBAC = "rbac.authorization.k8s.io"
MISSED_WITHIN = 120.0
"""Seconds until every operator has started and been denied what it may not do."""

Body = dict[str, Any]
Right = tuple[str, str, str]
"""API group, resource, verb."""


async def test_every_pod_runs_in_a_namespace_for_restricted_pods(trial: Trial) -> None:
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}}
    bare["spec"] = {"containers": [{"name": "bare", "image": "busybox"}]}
    with pytest.raises(ProgramError, match="violates PodSecurity"):
        await trial.kubectl("create", "--dry-run=server", "--filename", "-", stdin=json.dumps(bare))
    pods = await trial.kubectl.pods()
    assert len(pods) == 6
    assert all(pod.ready for pod in pods)


async def test_only_the_operator_has_an_api_token(trial: Trial) -> None:
    found = {}
    for component in ("controllers", "bot", "discord"):
        target = f"deployment/{RELEASE}-{component}"
        found[component] = (await trial.kubectl("exec", target, "--", "python", "-c", HAS_TOKEN)).strip()
    assert found == {"controllers": "True", "bot": "False", "discord": "False"}
    with_token = {pod.body["metadata"]["labels"]["app.kubernetes.io/component"] for pod in await _with_token(trial)}
    assert with_token == {"controllers"}


async def test_the_accounts_of_the_bot_only_read_and_write_rows(trial: Trial) -> None:
    printed = await trial.kubectl.inside(f"deployment/{RELEASE}-bot", "try_rights.py")
    assert json.loads(printed) == ["SELECT count(*) FROM game"]


async def test_no_secret_is_in_a_pods_definition_or_log(trial: Trial) -> None:
    names = [f"{RELEASE}-{part}" for part in (*ACCOUNTS, "discord")]
    found = [await trial.kubectl.json("get", "secret", name) for name in names]
    secrets = {base64.b64decode(value).decode() for secret in found for value in secret["data"].values()}
    assert len(secrets) == 9
    pods = await trial.kubectl.json("get", "pods")
    logs = [await trial.kubectl("logs", pod["metadata"]["name"], "--all-containers") for pod in pods["items"]]
    assert all(logs), "each pod has logged something"
    assert not [secret for secret in secrets if secret in json.dumps(pods) or any(secret in log for log in logs)]


async def test_each_right_of_the_role_is_needed(
    trial: Trial, cluster: Cluster, measured: Callable[[str], None]
) -> None:
    """Run an operator for each right, without that right: the API server must deny it exactly that."""
    role = await trial.kubectl.json("get", "role", f"{RELEASE}-controllers")
    rights = sorted(_rights(role["rules"]))
    operators = {right: await _operator(trial, cluster, f"role-{n}", without=right) for n, right in enumerate(rights)}
    content = await _operator(trial, cluster, "role-whole", without=None)

    not_missed = dict(operators)

    async def all_are_missed() -> bool:
        for right, kubectl in operators.items():
            if right in not_missed and await _misses(kubectl, right):
                del not_missed[right]
        return not not_missed

    with suppress(AssertionError):
        await eventually(all_are_missed, within=MISSED_WITHIN, every=2.0, what="each operator to be denied its right")
    assert not not_missed, "nobody needs these"
    await eventually(lambda: _is_content(content), within=MISSED_WITHIN, what="an operator with all rights to be ready")
    assert "forbidden" not in await content("logs", "operator")
    for kubectl in (content, *operators.values()):
        await cluster.kubectl()("delete", "namespace", kubectl.namespace, "--wait=false")
    measured(f"rights of the role that are each needed: {len(rights)}")


def _rights(rules: list[Body]) -> Iterator[Right]:
    for rule in rules:
        for group in rule["apiGroups"]:
            yield from ((group, resource, verb) for resource in rule["resources"] for verb in rule["verbs"])


async def _operator(trial: Trial, cluster: Cluster, name: str, *, without: Right | None) -> Kubectl:
    """Run the release's operator in another namespace, with its servers, and with one right less."""
    kubectl = await cluster.add_namespace(name)
    role = await trial.kubectl.json("get", "role", f"{RELEASE}-controllers")
    granted = [right for right in _rights(role["rules"]) if right != without]
    objects = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}},
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": ACCOUNT}, "rules": [*map(_rule, granted)]},
        _binding(kubectl.namespace),
        *[_reaching(secret, trial.kubectl.namespace) for secret in await _secrets_of_servers(trial)],
        _pod(await trial.kubectl.json("get", "deployment", f"{RELEASE}-controllers")),
    ]
    await kubectl("apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return kubectl


def _rule(right: Right) -> Body:
    group, resource, verb = right
    return {"apiGroups": [group], "resources": [resource], "verbs": [verb]}


def _binding(namespace: str) -> Body:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
    }


async def _secrets_of_servers(trial: Trial) -> list[Body]:
    return [await trial.kubectl.json("get", "secret", f"{RELEASE}-{name}") for name in ACCOUNTS]


def _reaching(secret: Body, namespace: str) -> Body:
    """Return a Secret for another namespace, whose URL names its server there."""
    name = secret["metadata"]["name"]
    url = re.sub("@([^:]+):", rf"@\1.{namespace}:", base64.b64decode(secret["data"]["url"]).decode())
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"url": url}}


def _pod(deployment: Body) -> Body:
    template = copy.deepcopy(deployment["spec"]["template"])
    spec = {**template["spec"], "serviceAccountName": ACCOUNT}
    for left_out in ("initContainers", "serviceAccount", "topologySpreadConstraints"):
        spec.pop(left_out, None)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator"}, "spec": spec}


async def _misses(kubectl: Kubectl, right: Right) -> bool:
    group, resource, verb = right
    try:
        log = await kubectl("logs", "operator")
    except ProgramError:
        return False  # its container does not run yet
    return any(f'cannot {verb} resource \\"{resource}\\"' in line and group in line for line in log.splitlines())


async def _is_content(kubectl: Kubectl) -> bool:
    listed = await kubectl.json("get", RESOURCES)
    written = [item for item in listed["items"] if item.get("status", {}).get("conditions")]
    return len(written) == 3 and all(pod.ready for pod in await kubectl.pods())


async def _with_token(trial: Trial) -> list[Pod]:
    def has_one(pod: Pod) -> bool:
        projected = [volume.get("projected", {}) for volume in pod.body["spec"]["volumes"]]
        return any("serviceAccountToken" in source for volume in projected for source in volume.get("sources", ()))

    return [pod for pod in await trial.kubectl.pods() if has_one(pod)]
