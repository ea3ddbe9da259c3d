"""The chart on a real API server: every object is admitted without a warning, and what must outlive a release does."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from sandbox.servers.control_plane import ControlPlane
from tests.support.helm import CHART, EXTERNAL, RELEASE, SANDBOX, Helm, Rendered, Values
from tests.support.kubectl import Kubectl

OFF = {"crds": {"enabled": False}}
"""The definitions belong to the whole cluster: two tests that install them would meet."""

Release = Callable[..., str]


@pytest.fixture
def release(helm: Helm, api_server: ControlPlane, kubectl: Kubectl) -> Release:
    """Helm in the test's namespace: a command, and the values for the chart if it takes any."""
    namespace = kubectl.command[-1]
    there = replace(helm, environment={**helm.environment, "KUBECONFIG": str(api_server.kubeconfig)})

    def run(command: str, values: Values | None = None) -> str:
        chart = [] if values is None else [str(CHART), "--values", "-"]
        return there(command, RELEASE, *chart, "--namespace", namespace, stdin=yaml.safe_dump(values))

    return run


@pytest.mark.parametrize("variant", ["sandbox", "external"])
async def test_everything_is_admitted_and_nothing_warned_of(
    variant: str, request: pytest.FixtureRequest, kubectl: Kubectl
) -> None:
    rendered: Rendered = request.getfixturevalue(variant)
    namespace = kubectl.command[-1]
    for each in rendered.objects:
        each["metadata"].pop("namespace", None)
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": rendered.objects})
    told = await kubectl("apply", "--dry-run=server", "--warnings-as-errors", "-f", "-", stdin=manifest)
    assert told.count("(server dry run)") == len(rendered.objects), namespace


async def test_passwords_are_made_once(release: Release, kubectl: Kubectl) -> None:
    release("install", {**SANDBOX, **OFF})
    first = await _secrets(kubectl)
    assert len({first[name]["password"] for name in ("postgresql", "rabbitmq")}) == 2
    assert all(len(value) >= 32 for name in first for value in first[name].values())
    assert first["postgresql"]["password"] in first["postgresql"]["url"]
    release("upgrade", {**SANDBOX, **OFF, "controllers": {"replicas": 3}})
    assert await _secrets(kubectl) == first


async def test_an_upgrade_without_changes_changes_no_pod(release: Release, kubectl: Kubectl) -> None:
    release("install", {**SANDBOX, **OFF})
    first = await _templates(kubectl)
    release("upgrade", {**SANDBOX, **OFF})
    assert await _templates(kubectl) == first


async def test_a_new_installation_finds_the_passwords_of_the_volumes(release: Release, kubectl: Kubectl) -> None:
    release("install", {**SANDBOX, **OFF})
    first = await _secrets(kubectl)
    release("uninstall")
    kept = await _secrets(kubectl)
    assert kept == {name: first[name] for name in ("postgresql", "rabbitmq")}
    release("install", {**SANDBOX, **OFF})
    again = await _secrets(kubectl)
    assert {name: again[name] for name in kept} == kept


async def test_a_deleted_secret_is_made_anew_and_restarts_who_reads_it(release: Release, kubectl: Kubectl) -> None:
    release("install", {**SANDBOX, **OFF})
    first, before = await _secrets(kubectl), await _templates(kubectl)
    await kubectl("delete", "secret", f"{RELEASE}-rabbitmq")
    release("upgrade", {**SANDBOX, **OFF})
    second, after = await _secrets(kubectl), await _templates(kubectl)
    assert {name for name in first if first[name] != second[name]} == {"rabbitmq"}
    assert {name for name in before if before[name] != after[name]} == {"rabbitmq", "controllers", "bot"}


async def test_the_definitions_stay_with_their_resources(release: Release, kubectl: Kubectl) -> None:
    release("install", EXTERNAL)
    await kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=15s")
    await kubectl.apply("Scheduler", "mine", source="Notifications")
    release("uninstall")
    assert "mine" in await kubectl("get", "schedulers")
    release("install", EXTERNAL)
    assert "mine" in await kubectl("get", "schedulers")


async def _secrets(kubectl: Kubectl) -> dict[str, dict[str, str]]:
    """The chart's own Secrets, by component, in clear."""
    listed = await kubectl.json("get", "secrets", "--field-selector", "type=Opaque")
    return {
        each["metadata"]["name"].removeprefix(f"{RELEASE}-"): {
            key: b64decode(value).decode() for key, value in each["data"].items()
        }
        for each in listed["items"]
    }


async def _templates(kubectl: Kubectl) -> dict[str, Any]:
    """What the pods are made from, by component."""
    listed = await kubectl.json("get", "deployments,statefulsets")
    return {each["metadata"]["name"].removeprefix(f"{RELEASE}-"): each["spec"]["template"] for each in listed["items"]}
