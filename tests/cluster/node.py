"""Root on a pod's node, to cut a pod off from the network, for which a cluster has no request.

A privileged pod has root on its node. It needs a separate namespace, since that of a release admits only restricted
pods. A shell on the node itself was rejected: the way to get one differs from cluster to cluster.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.cluster.clusters import Cluster
from tests.cluster.kubectl import Kubectl, Pod
from tests.support.waiting import eventually

ROOT = "root"
READY_WITHIN = 30
"""Seconds until the privileged pod runs; the node has the image."""
LEFT_OPEN = (
    "SELECT count(*) FROM pg_stat_activity WHERE client_addr = '{address}' AND state = 'idle in transaction' "
    "AND state_change < clock_timestamp() - interval '0.3 seconds'"
)
"""Transactions of an address that have stopped: a claim takes hundredths of a second."""


@dataclass(frozen=True)
class Root:
    """Root on the node of a pod."""

    kubectl: Kubectl
    pod: Pod

    async def cut_off(self, *, release: Kubectl) -> None:
        """Cut the pod's controllers off for good, let them continue, and check that they left transactions open."""
        await self.kubectl.inside(ROOT, "cut_off.py", self.pod.name)

        async def are_open() -> bool:
            return await release.sql(LEFT_OPEN.format(address=self.pod.body["status"]["podIP"])) != "0"

        await eventually(are_open, within=2, what="an open transaction of the pod that was cut off")


@asynccontextmanager
async def root_on_node_of(pod: Pod, cluster: Cluster) -> AsyncIterator[Root]:
    """Run a privileged pod on the node of another pod for a block."""
    kubectl = await cluster.add_namespace(ROOT, admits="privileged")
    try:
        await kubectl("apply", "--filename", "-", stdin=json.dumps(_on_node_of(pod)))
        wait = ("--for=condition=Ready", f"--timeout={READY_WITHIN}s")
        await kubectl("wait", f"pod/{ROOT}", *wait, within=READY_WITHIN + 5)
        yield Root(kubectl, pod)
    finally:
        await cluster.kubectl()("delete", "namespace", kubectl.namespace, "--wait=false")


def _on_node_of(pod: Pod) -> dict[str, Any]:
    """Return a privileged pod on the node of another, which sees every process there."""
    container = {
        "name": ROOT,
        "image": pod.body["spec"]["containers"][0]["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
        "securityContext": {"privileged": True, "runAsUser": 0},
    }
    spec = {
        "nodeName": pod.body["spec"]["nodeName"],
        "hostPID": True,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": ROOT}, "spec": spec}
