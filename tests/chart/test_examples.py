"""The examples for the operators of PostgreSQL and RabbitMQ: their definitions admit them, and the chart uses them.

The definitions in `operators/` are cut down to the fields that the examples use. A field that is missing there is
refused as unknown: copy it from the operator's repository, which the file names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.servers.control_plane import ControlPlane
from tests.support.helm import CHART, Helm
from tests.support.kubectl import Kubectl, KubectlError

EXAMPLES = CHART / "examples"
DEFINITIONS = Path(__file__).parent / "operators"
SERVERS = ["cloudnative-pg.yaml", "rabbitmq-cluster.yaml"]


def manifest(file: str, kind: str) -> dict[str, Any]:
    """Return the object of a kind in an example."""
    [found] = [item for item in yaml.safe_load_all((EXAMPLES / file).read_text()) if item["kind"] == kind]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="session")
async def definitions(api_server: ControlPlane) -> None:
    kubectl = Kubectl([str(api_server.kubectl), "--kubeconfig", str(api_server.kubeconfig)])
    await kubectl("apply", "-f", str(DEFINITIONS))
    await kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(DEFINITIONS))


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("file", SERVERS)
async def test_the_definitions_of_the_operators_admit_the_examples(file: str, kubectl: Kubectl) -> None:
    objects = list(yaml.safe_load_all((EXAMPLES / file).read_text()))
    output = await kubectl("apply", "--dry-run=server", "--warnings-as-errors", "-f", str(EXAMPLES / file))
    assert output.count("(server dry run)") == len(objects)


@pytest.mark.usefixtures("definitions")
async def test_the_definitions_refuse_what_the_operators_refuse(kubectl: Kubectl) -> None:
    cluster = manifest("cloudnative-pg.yaml", "Cluster")
    cluster["spec"]["postgresql"]["synchronous"]["number"] = 0
    with pytest.raises(KubectlError, match="number of synchronous replicas should be greater than zero"):
        await kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(cluster))
    broker = manifest("rabbitmq-cluster.yaml", "RabbitmqCluster")
    broker["spec"]["replica"] = 3
    with pytest.raises(KubectlError, match=r'unknown field "spec\.replica"'):
        await kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(broker))


def test_a_commit_is_on_two_instances_and_only_one_that_has_it_takes_over() -> None:
    spec = manifest("cloudnative-pg.yaml", "Cluster")["spec"]
    synchronous = {"method": "any", "number": 1, "dataDurability": "required", "failoverQuorum": True}
    assert (spec["instances"], spec["postgresql"]["synchronous"]) == (3, synchronous)


def test_each_queue_gets_a_member_on_every_broker() -> None:
    spec = manifest("rabbitmq-cluster.yaml", "RabbitmqCluster")["spec"]
    size = "quorum_queue.continuous_membership_reconciliation.target_group_size"
    assert f"{size} = {spec['replicas']}" in spec["rabbitmq"]["additionalConfig"].splitlines()


def test_the_workloads_use_the_secrets_that_the_operators_write(helm: Helm) -> None:
    values = yaml.safe_load((EXAMPLES / "operators-values.yaml").read_text())
    rendered = helm.template(values)
    database = manifest("cloudnative-pg.yaml", "Cluster")["metadata"]["name"]
    broker = manifest("rabbitmq-cluster.yaml", "RabbitmqCluster")["metadata"]["name"]
    assert not rendered.all("StatefulSet")
    for component in ("controllers", "bot"):
        mounted = mounted_secrets(rendered.pods()[component])
        assert mounted[f"{database}-app"] == [{"key": "uri", "path": "QUESTBELL_DATABASE_URL"}]
        assert mounted[f"{broker}-default-user"] == [{"key": "connection_string", "path": "QUESTBELL_AMQP_URL"}]


def mounted_secrets(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the keys that a pod mounts of each Secret."""
    [volume] = [volume for volume in pod["spec"]["volumes"] if volume["name"] == "secrets"]
    return {source["secret"]["name"]: source["secret"]["items"] for source in volume["projected"]["sources"]}
