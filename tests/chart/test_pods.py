"""What a user can change about the pods, and what the platform may decide."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

import pytest

from tests.support.helm import EXTERNAL, RELEASE, SANDBOX, Helm, HelmError, Object, Rendered, Values

COMPONENTS = ("controllers", "bot", "postgresql", "rabbitmq", "discord")
MOVING = ("controllers", "bot", "discord")
TAINTS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]


def _for_each(values: Values) -> Values:
    """Return values that give each component the same settings."""
    placed = {name: values for name in COMPONENTS if name != "discord"}
    return {**placed, "discord": {"sandbox": {"enabled": True, **values}}}


def test_a_variable_of_the_user_replaces_that_of_the_chart(helm: Helm) -> None:
    mine = [
        {"name": name, "value": "mine"} for name in ("QUESTBELL_LOG_LEVEL", "POSTGRES_DB", "RABBITMQ_PASSWORD", "A")
    ]
    rendered = helm.template(_for_each({"extraEnv": [{"name": "A", "value": "first"}, *mine]}))
    for name, container in rendered.containers():
        variables = [variable["name"] for variable in container["env"]]
        assert len(variables) == len(set(variables)), name
        assert [
            variable for variable in container["env"] if variable["name"] in {entry["name"] for entry in mine}
        ] == mine


def test_a_volume_of_the_user_replaces_that_of_the_chart(helm: Helm) -> None:
    volume = {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}
    mount = {"name": "mine", "mountPath": "/tmp"}
    rendered = helm.template(_for_each({"extraVolumes": [volume, {"name": "mine"}], "extraVolumeMounts": [mount]}))
    for component, pod in rendered.pods().items():
        names = [entry["name"] for entry in pod["spec"]["volumes"]]
        assert len(names) == len(set(names)), component
        assert volume in pod["spec"]["volumes"]
    for name, container in rendered.containers():
        assert [entry for entry in container["volumeMounts"] if entry["mountPath"] == "/tmp"] == [mount], name


def test_labels_and_annotations_reach_objects_and_pods_and_leave_selectors_alone(helm: Helm, sandbox: Rendered) -> None:
    values = {"annotations": {"a": "1"}, "podAnnotations": {"b": "2", "checksum/secrets": "x"}}
    values |= {"podLabels": {"c": "3", "app.kubernetes.io/component": "x"}}
    rendered = helm.template({**_for_each(values), "commonLabels": {"d": "4", "app.kubernetes.io/name": "x"}})
    for manifest in rendered.objects:
        if manifest["kind"] != "CustomResourceDefinition":
            labels = manifest["metadata"]["labels"]
            assert (labels["d"], labels["app.kubernetes.io/name"]) == ("4", "questbell"), manifest["metadata"]["name"]
    for component, pod in rendered.pods().items():
        if component != "test":
            own = {"d": "4", "c": "3", "app.kubernetes.io/component": component, "app.kubernetes.io/name": "questbell"}
            assert own.items() <= pod["metadata"]["labels"].items()
            assert pod["metadata"]["annotations"].items() >= {"b": "2", "checksum/secrets": "x"}.items()
    for kind in ("Deployment", "StatefulSet"):
        for found in rendered.all(kind):
            assert found["metadata"]["annotations"] == {"a": "1"}
            name = found["metadata"]["name"].removeprefix(f"{RELEASE}-")
            assert found["spec"]["selector"] == sandbox.of(kind, name)["spec"]["selector"]
            assert found["spec"].get("volumeClaimTemplates") == sandbox.of(kind, name)["spec"].get(
                "volumeClaimTemplates"
            )


def test_the_placement_of_the_bot_is_that_of_the_helm_test(helm: Helm) -> None:
    placement = {
        "priorityClassName": "high",
        "nodeSelector": {"disk": "ssd"},
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    }
    tolerations = [{"key": "games", "operator": "Exists"}]
    values = {**_for_each({**placement, "tolerations": tolerations}), "image": {"pullSecrets": ["registry"]}}
    values |= {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}], "dnsConfig": {"searches": ["example.org"]}}
    rendered = helm.template({**values, "test": {"resources": {"limits": {"memory": "1Gi"}}}})
    pods = rendered.pods()
    assert pods.keys() == {*COMPONENTS, "test"}
    for component, pod in pods.items():
        spec = pod["spec"]
        assert placement.items() <= spec.items(), component
        assert tolerations[0] in spec["tolerations"]
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        assert spec["hostAliases"] == values["hostAliases"]
        assert spec["dnsConfig"] == values["dnsConfig"]
    [container] = pods["test"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"memory": "1Gi"}


@pytest.mark.parametrize("variable", ["", "+S 1"])
def test_every_port_of_rabbitmq_is_open_on_both_families(variable: str, sandbox: Rendered) -> None:
    """With what the user sets in the same variable."""
    script = sandbox.of("ConfigMap", "rabbitmq")["data"]["start.sh"]
    chosen = script[script.index("if [ -e /proc/net/if_inet6 ]") : script.index("quoted()")]
    shown = subprocess.run(
        [
            "bash",
            "-euc",
            f'{chosen.replace("/proc/net/if_inet6", "/")}\nprintf %s "$RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"',
        ],
        env={"PATH": os.defpath, **({"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": variable} if variable else {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    ).stdout
    everywhere = "{ip,{0,0,0,0,0,0,0,0}}"
    assert shown.split(" -rabbitmq_") == [
        variable,
        f"management tcp_config [{{port,15672}},{everywhere}]",
        f"prometheus tcp_config [{{port,15692}},{everywhere}]",
    ]


def test_config_maps_and_secrets_may_hold_variables(helm: Helm) -> None:
    sources = [{"configMapRef": {"name": "proxy"}}, {"secretRef": {"name": "more", "optional": True}}]
    for name, container in helm.template(_for_each({"envFrom": sources})).containers():
        assert container["envFrom"] == sources, name


def test_security_contexts_can_be_left_to_the_platform(helm: Helm) -> None:
    rendered = helm.template({**SANDBOX, "podSecurityContext": None, "securityContext": None})
    for component, pod in rendered.pods().items():
        assert "securityContext" not in pod["spec"], component
    for name, container in rendered.containers():
        assert "securityContext" not in container, name
    assert _modes(rendered) == {0o444}, "no group of the pod could read them"


def test_user_ids_can_be_left_to_the_platform(helm: Helm) -> None:
    context = {"runAsUser": None, "runAsGroup": None, "fsGroup": None, "seccompProfile": None}
    left = {"runAsNonRoot": True, "fsGroupChangePolicy": "OnRootMismatch"}
    for component, pod in helm.template({**SANDBOX, "podSecurityContext": context}).pods().items():
        assert pod["spec"]["securityContext"] == left, component


def test_servers_start_with_any_user_id(sandbox: Rendered) -> None:
    containers = dict(sandbox.containers())
    probe = containers["postgresql/postgresql"]["readinessProbe"]["exec"]["command"]
    assert "--username" in probe, "pg_isready asks for the name of the user ID, which may have none"
    script = sandbox.of("ConfigMap", "postgresql")["data"]["set-accounts.sh"]
    assert "pg_isready --quiet --host localhost --username" in script
    assert "chown rabbitmq" in sandbox.of("ConfigMap", "rabbitmq")["data"]["start.sh"]


def test_user_ids_can_be_chosen(helm: Helm, sandbox: Rendered) -> None:
    assert _modes(sandbox) == {0o440}
    rendered = helm.template({**SANDBOX, "podSecurityContext": {"runAsUser": 1234}})
    users = {name: pod["spec"]["securityContext"] for name, pod in rendered.pods().items()}
    assert {context["runAsUser"] for context in users.values()} == {1234}
    assert (users["bot"]["fsGroup"], users["postgresql"]["fsGroup"]) == (65532, 999)


def test_pods_without_a_volume_leave_a_dead_node_soon(sandbox: Rendered, helm: Helm) -> None:
    for component, pod in sandbox.pods().items():
        waits = {entry["key"]: entry["tolerationSeconds"] for entry in pod["spec"].get("tolerations", [])}
        assert waits == (dict.fromkeys(TAINTS, 20) if component in (*MOVING, "test") else {}), component
    changed = helm.template({**SANDBOX, "nodeFailureTolerationSeconds": 5}).pods()["bot"]["spec"]["tolerations"]
    assert [entry["tolerationSeconds"] for entry in changed] == [5, 5]
    assert "tolerations" not in helm.template({**SANDBOX, "nodeFailureTolerationSeconds": None}).pods()["bot"]["spec"]


@pytest.mark.parametrize(
    ("toleration", "added"),
    [
        ({"key": TAINTS[0], "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}, TAINTS[1:]),
        ({"operator": "Exists"}, []),
        ({"operator": "Exists", "effect": "NoSchedule"}, TAINTS),
        ({"key": "games", "operator": "Exists"}, TAINTS),
    ],
)
def test_tolerations_of_the_user_for_a_dead_node_win(toleration: Any, added: list[str], helm: Helm) -> None:
    values = {**SANDBOX, "bot": {"tolerations": [toleration]}}
    first, *others = helm.template(values).pods()["bot"]["spec"]["tolerations"]
    assert first == toleration
    assert [entry["key"] for entry in others] == added


def test_pods_can_be_spread_over_zones(helm: Helm) -> None:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    pods = helm.template(_for_each({"topologySpreadConstraints": [constraint]})).pods()
    for component in COMPONENTS:
        [made] = pods[component]["spec"]["topologySpreadConstraints"]
        assert made.items() >= constraint.items()
        assert made["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == component


def test_images_can_be_named_by_digest(helm: Helm) -> None:
    digest = f"sha256:{'0' * 64}"
    image = {"repository": "example.org/questbell", "tag": "ignored", "digest": digest}
    rendered = helm.template({**SANDBOX, "image": image, "postgresql": {"image": {"digest": digest}}})
    images = {name: container["image"] for name, container in rendered.containers()}
    assert images.pop("postgresql/postgresql") == f"postgres@{digest}"
    assert images.pop("rabbitmq/rabbitmq").startswith("rabbitmq:4.")
    assert set(images.values()) == {f"example.org/questbell@{digest}"}
    with pytest.raises(HelmError, match="does not match pattern"):
        helm.template({**SANDBOX, "image": {"digest": "latest"}})


def test_servers_are_pinned_to_a_minor_version(sandbox: Rendered) -> None:
    images = {name: container["image"] for name, container in sandbox.containers()}
    assert re.fullmatch(r"postgres:\d+\.\d+", images["postgresql/postgresql"])
    assert re.fullmatch(r"rabbitmq:\d+\.\d+-management", images["rabbitmq/rabbitmq"])


def test_every_container_says_why_it_failed(sandbox: Rendered) -> None:
    for name, container in sandbox.containers():
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", name
    for component, pod in sandbox.pods().items():
        assert pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == component


def test_the_log_of_the_sandbox_is_for_people(sandbox: Rendered) -> None:
    containers = dict(sandbox.containers())
    for name, expected in (("discord/discord", "console"), ("bot/bot", "json")):
        values = [entry["value"] for entry in containers[name]["env"] if entry["name"] == "QUESTBELL_LOG_FORMAT"]
        assert values == [expected]


def test_nothing_listens_on_ipv4_alone(helm: Helm, sandbox: Rendered) -> None:
    for rendered in (sandbox, helm.template(EXTERNAL)):
        for name, container in rendered.containers():
            assert "0.0.0.0" not in str(container), name


def _modes(rendered: Rendered) -> set[int]:
    volumes: list[Object] = [volume for pod in rendered.pods().values() for volume in pod["spec"]["volumes"]]
    return {volume["projected"]["defaultMode"] for volume in volumes if "projected" in volume}
