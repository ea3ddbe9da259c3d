"""The chart on a real API server: all objects are admitted, and passwords and CRDs survive an uninstallation."""

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
"""CRDs are cluster-wide, so only one test installs them."""

KEPT = ("postgresql", "postgresql-owner", "rabbitmq", "rabbitmq-bot")
"""The Secrets that outlive a release, as the volumes do."""

Release = Callable[..., str]


@pytest.fixture
def release(helm: Helm, api_server: ControlPlane, kubectl: Kubectl) -> Release:
    """Run a Helm command for a release in the test's namespace, with the given values."""
    namespace = kubectl.command[-1]
    there = replace(helm, environment={**helm.environment, "KUBECONFIG": str(api_server.kubeconfig)})

    def run(command: str, values: Values | None = None) -> str:
        chart = [] if values is None else [str(CHART), "--values", "-"]
        return there(command, RELEASE, *chart, "--namespace", namespace, stdin=yaml.safe_dump(values))

    return run


@pytest.mark.parametrize("variant", ["sandbox", "external"])
async def test_the_api_server_admits_every_object_without_a_warning(
    variant: str, request: pytest.FixtureRequest, kubectl: Kubectl
) -> None:
    rendered: Rendered = request.getfixturevalue(variant)
    namespace = kubectl.command[-1]
    for manifest in rendered.objects:
        manifest["metadata"].pop("namespace", None)
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": rendered.objects})
    output = await kubectl("apply", "--dry-run=server", "--warnings-as-errors", "-f", "-", stdin=manifest)
    assert output.count("(server dry run)") == len(rendered.objects), namespace


@pytest.mark.parametrize("name", ["n", "on", "true", "123", "1e3", "my.app"])
async def test_the_api_server_admits_every_object_of_an_oddly_named_release(
    name: str, helm: Helm, kubectl: Kubectl
) -> None:
    text = helm.template({**SANDBOX, **OFF}, release=name, namespace=kubectl.command[-1]).text
    output = await kubectl("apply", "--dry-run=server", "--warnings-as-errors", "-f", "-", stdin=text)
    assert output.count("(server dry run)") == text.count("\nkind: ")


async def test_passwords_are_generated_once(release: Release, kubectl: Kubectl) -> None:
    release("install", {**SANDBOX, **OFF})
    first = await _secrets(kubectl)
    assert len({first[name]["password"] for name in KEPT}) == len(KEPT)
    assert all(len(value) >= 32 for name in first for value in first[name].values())
    assert first["postgresql"]["password"] in first["postgresql"]["url"]
    release("upgrade", {**SANDBOX, **OFF, "controllers": {"replicas": 3}})
    assert await _secrets(kubectl) == first


async def test_an_upgrade_without_changes_restarts_no_pod(release: Release, kubectl: Kubectl) -> None:
    release("install", {**SANDBOX, **OFF})
    first = await _templates(kubectl)
    release("upgrade", {**SANDBOX, **OFF})
    assert await _templates(kubectl) == first


async def test_a_reinstallation_reuses_the_passwords_of_the_volumes(release: Release, kubectl: Kubectl) -> None:
    release("install", {**SANDBOX, **OFF})
    first = await _secrets(kubectl)
    release("uninstall")
    kept = await _secrets(kubectl)
    assert kept == {name: first[name] for name in KEPT}
    release("install", {**SANDBOX, **OFF})
    again = await _secrets(kubectl)
    assert {name: again[name] for name in kept} == kept


@pytest.mark.parametrize(
    ("secret", "readers"),
    [("rabbitmq", {"rabbitmq", "controllers"}), ("postgresql", {"postgresql", "controllers", "bot"})],
)
async def test_a_deleted_secret_is_generated_again_and_restarts_its_readers(
    secret: str, readers: set[str], release: Release, kubectl: Kubectl
) -> None:
    release("install", {**SANDBOX, **OFF})
    first, before = await _secrets(kubectl), await _templates(kubectl)
    await kubectl("delete", "secret", f"{RELEASE}-{secret}")
    release("upgrade", {**SANDBOX, **OFF})
    second, after = await _secrets(kubectl), await _templates(kubectl)
    assert {name for name in first if first[name] != second[name]} == {secret}
    assert {name for name in before if before[name] != after[name]} == readers


async def test_the_crds_and_their_resources_survive_an_uninstallation(release: Release, kubectl: Kubectl) -> None:
    release("install", EXTERNAL)
    await kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=15s")
    await kubectl.apply("Scheduler", "mine", source="Notifications")
    release("uninstall")
    assert "mine" in await kubectl("get", "schedulers")
    release("install", EXTERNAL)
    assert "mine" in await kubectl("get", "schedulers")


async def _secrets(kubectl: Kubectl) -> dict[str, dict[str, str]]:
    """Return the decoded data of the chart's Secrets, by component."""
    listed = await kubectl.json("get", "secrets", "--field-selector", "type=Opaque")
    return {
        secret["metadata"]["name"].removeprefix(f"{RELEASE}-"): {
            key: b64decode(value).decode() for key, value in secret["data"].items()
        }
        for secret in listed["items"]
    }


async def _templates(kubectl: Kubectl) -> dict[str, Any]:
    """Return the pod templates, by component."""
    listed = await kubectl.json("get", "deployments,statefulsets")
    return {
        workload["metadata"]["name"].removeprefix(f"{RELEASE}-"): workload["spec"]["template"]
        for workload in listed["items"]
    }
