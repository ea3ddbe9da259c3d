"""A snapshot of the fields that Kubernetes does not allow an upgrade to change. Review it before you update it."""

from __future__ import annotations

from syrupy.assertion import SnapshotAssertion

from tests.support.helm import Rendered


def test_immutable_fields_have_not_changed(sandbox: Rendered, snapshot: SnapshotAssertion) -> None:
    fixed = {}
    for manifest in sandbox.objects:
        name, spec = f"{manifest['kind']} {manifest['metadata']['name']}", manifest.get("spec", {})
        if manifest["kind"] == "Deployment":
            fixed[name] = {"selector": spec["selector"]}
        if manifest["kind"] == "StatefulSet":
            fields = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
            fixed[name] = {field: spec.get(field) for field in fields}
        if manifest["kind"] == "RoleBinding":
            fixed[name] = manifest["roleRef"]
    assert fixed == snapshot
