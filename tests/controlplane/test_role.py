"""The operator with the smallest role that it needs: only its namespace, and no right to delete."""

from __future__ import annotations

import json

import pytest

from controllers import kubernetes_api
from controllers.kubernetes_api import ForbiddenError
from controllers.resources.models import SCHEDULER
from sandbox.servers.control_plane import ControlPlane
from tests.controlplane.operating import operating
from tests.support.kubectl import Kubectl
from tests.support.role import RULES
from tests.support.waiting import eventually

ACCOUNT = "questbell-controllers"


@pytest.fixture
async def limited(cluster: ControlPlane, namespace: str, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """`KUBECONFIG` enters as a service account that has only this role."""
    kubeconfig = await cluster.kubeconfig_of(ACCOUNT, namespace=namespace)
    metadata = {"name": ACCOUNT, "namespace": namespace}
    api = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": RULES}
    binding = {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": api, "kind": "Role", "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
    }
    await kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [role, binding]}))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))


@pytest.mark.usefixtures("limited")
async def test_the_operator_works_with_this_role(namespace: str, kubectl: Kubectl) -> None:
    async with operating(namespace) as replica:
        await kubectl.apply("Scheduler", "mine", source="Notifications")
        await replica.started("mine")

        async def each_has_its_event() -> bool:  # posted after its status
            return len([line for line in (await kubectl("get", "events")).splitlines() if "Working" in line]) >= 4

        await eventually(each_has_its_event)
        assert len(replica.api.statuses) == 4
        assert replica.resync.problem() is None


@pytest.mark.usefixtures("limited")
async def test_a_request_that_the_role_does_not_allow_is_a_forbidden_error(namespace: str) -> None:
    async with kubernetes_api.connect() as api:
        with pytest.raises(ForbiddenError, match=r"schedulers.* is forbidden"):
            await api.list_resources(SCHEDULER, "default")
