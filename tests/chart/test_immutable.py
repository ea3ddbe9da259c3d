"""What no upgrade may change, since Kubernetes refuses to: a snapshot of it, to be looked at before it is renewed."""

from __future__ import annotations

from syrupy.assertion import SnapshotAssertion

from tests.support.helm import Rendered


def test_what_kubernetes_lets_no_upgrade_change_is_as_it_was(sandbox: Rendered, snapshot: SnapshotAssertion) -> None:
    fixed = {}
    for each in sandbox.objects:
        name, spec = f"{each['kind']} {each['metadata']['name']}", each.get("spec", {})
        if each["kind"] == "Deployment":
            fixed[name] = {"selector": spec["selector"]}
        if each["kind"] == "StatefulSet":
            fields = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
            fixed[name] = {field: spec.get(field) for field in fields}
        if each["kind"] == "RoleBinding":
            fixed[name] = each["roleRef"]
    assert fixed == snapshot
