"""What the chart makes of its values: the promises of docs/install.md, read from the manifests."""

from __future__ import annotations

from typing import Any

import pytest

from shared.settings import Timing
from tests.support import definitions
from tests.support.helm import CHART, EXTERNAL, RELEASE, SANDBOX, Helm, HelmError, Object, Rendered
from tests.support.role import RULES

OURS = ["controllers", "bot", "discord"]


def test_the_role_is_the_one_that_the_operator_was_shown_to_need(sandbox: Rendered) -> None:
    assert sandbox.of("Role", "controllers")["rules"] == RULES
    assert not sandbox.all("ClusterRole")


def test_only_the_operator_gets_a_token(sandbox: Rendered) -> None:
    assert {name for name, pod in sandbox.pods().items() if pod["spec"]["automountServiceAccountToken"]} == set()
    assert sandbox.of("ServiceAccount", "controllers")["automountServiceAccountToken"] is False
    with_token = [name for name, container in sandbox.containers() if "api-token" in _mounts(container)]
    assert with_token == ["controllers/controllers"]


def test_every_container_is_restricted(sandbox: Rendered) -> None:
    for name, container in sandbox.containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert container["resources"]["requests"], name
        assert container["resources"]["limits"].keys() == {"memory"}, name
    for name, pod in sandbox.pods().items():
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"] and context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["enableServiceLinks"] is False, name


def test_the_definitions_are_those_of_the_operator(helm: Helm, sandbox: Rendered) -> None:
    mine = {definition["metadata"]["name"]: definition for definition in definitions.load()}
    made = {each["metadata"]["name"]: each for each in sandbox.all("CustomResourceDefinition")}
    assert {name: each["spec"] for name, each in made.items()} == {name: each["spec"] for name, each in mine.items()}
    assert all(each["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for each in made.values())
    dropped = helm.template({**SANDBOX, "crds": {"keep": False}}).all("CustomResourceDefinition")
    assert [each["metadata"].get("annotations") for each in dropped] == [None, None]
    assert not helm.template({**SANDBOX, "crds": {"enabled": False}}).all("CustomResourceDefinition")


def test_no_resource_of_ours_is_in_the_chart(sandbox: Rendered) -> None:
    assert not [each for each in sandbox.objects if each["apiVersion"].startswith("questbell.dev")]


def test_the_controllers_are_never_fewer_than_asked_for(sandbox: Rendered) -> None:
    spec = sandbox.of("Deployment", "controllers")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    [spread] = spec["template"]["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["maxSkew"]) == ("kubernetes.io/hostname", 1)


def test_a_budget_never_blocks_a_drain(helm: Helm, sandbox: Rendered) -> None:
    [budget] = sandbox.all("PodDisruptionBudget")
    assert budget["metadata"]["name"] == f"{RELEASE}-controllers"
    assert (budget["spec"]["maxUnavailable"], budget["spec"]["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert not helm.template({**SANDBOX, "controllers": {"replicas": 1}}).all("PodDisruptionBudget")


def test_there_is_one_bot_also_during_an_upgrade(sandbox: Rendered) -> None:
    spec = sandbox.of("Deployment", "bot")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize("component", OURS)
def test_probes_ask_what_the_workload_answers(component: str, sandbox: Rendered) -> None:
    [container] = sandbox.pods()[component]["spec"]["containers"]
    assert _env(container)["QUESTBELL_HEALTH_HOST"] == "0.0.0.0"
    assert {"name": "health", "containerPort": int(_env(container)["QUESTBELL_HEALTH_PORT"])} in container["ports"]
    asked = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert asked == {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}


@pytest.mark.parametrize(("shutdown", "grace"), [(None, 20), (2.5, 13), (30, 40)])
def test_a_pod_is_given_longer_than_its_shutdown_takes(shutdown: float | None, grace: int, helm: Helm) -> None:
    timing = {} if shutdown is None else {"shutdown": shutdown}
    pods = helm.template({**SANDBOX, "timing": timing}).pods()
    for component in ("controllers", "bot"):
        assert pods[component]["spec"]["terminationGracePeriodSeconds"] == grace > (shutdown or Timing().shutdown)


def test_time_outs_reach_every_workload_and_the_broker(helm: Helm) -> None:
    rendered = helm.template({**SANDBOX, "timing": {"requestTimeout": 0.5, "consumerTimeout": 90}})
    for name, container in rendered.containers():
        if "QUESTBELL_SECRETS_DIR" in _env(container):
            assert _env(container)["QUESTBELL_TIMING_REQUEST_TIMEOUT"] == "0.5", name
            assert _env(container)["QUESTBELL_TIMING_CONSUMER_TIMEOUT"] == "90", name
    assert "consumer_timeout = 90000\n" in rendered.of("ConfigMap", "rabbitmq")["data"]["questbell.conf"]


def test_each_workload_is_given_its_own_secrets_and_no_others(sandbox: Rendered) -> None:
    given = {name: _secrets(sandbox, name, container) for name, container in sandbox.containers()}
    assert given == {
        "controllers/migrate": {"QUESTBELL_DATABASE_URL"},
        "controllers/controllers": {"QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL"},
        "bot/bot": {"QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL", "DISCORD_TOKEN"},
        "discord/discord": {"DISCORD_TOKEN"},
        "test/check": {"QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL", "DISCORD_TOKEN"},
        "postgresql/postgresql": set(),
        "rabbitmq/rabbitmq": set(),
    }


def test_what_a_user_adds_reaches_every_container_of_a_workload_and_the_test(helm: Helm) -> None:
    more = {
        "extraEnv": [{"name": "PGSSLROOTCERT", "value": "/etc/ca/ca.crt"}],
        "extraVolumes": [{"name": "ca", "secret": {"secretName": "our-authority"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
    }
    rendered = helm.template({**SANDBOX, "controllers": more, "bot": more})
    containers = dict(rendered.containers())
    for name in ("controllers/migrate", "controllers/controllers", "bot/bot", "test/check"):
        assert _env(containers[name])["PGSSLROOTCERT"] == "/etc/ca/ca.crt"
        assert {"name": "ca", "mountPath": "/etc/ca"} in containers[name]["volumeMounts"]
        assert more["extraVolumes"][0] in rendered.pods()[name.partition("/")[0]]["spec"]["volumes"]


def test_secrets_of_the_user_are_mounted_as_they_are(external: Rendered) -> None:
    [volume] = [each for each in external.pods()["bot"]["spec"]["volumes"] if each["name"] == "secrets"]
    sources = [source["secret"] for source in volume["projected"]["sources"]]
    assert [(source["name"], source["items"]) for source in sources] == [
        ("my-cluster-app", [{"key": "uri", "path": "QUESTBELL_DATABASE_URL"}]),
        ("my-rabbit-default-user", [{"key": "connection_string", "path": "QUESTBELL_AMQP_URL"}]),
        ("my-discord", [{"key": "DISCORD_TOKEN", "path": "DISCORD_TOKEN"}]),
    ]
    assert not external.all("Secret")
    assert not external.all("StatefulSet")


def test_no_secret_stands_outside_of_a_secret(helm: Helm) -> None:
    words = ["t0ken", "pa55word", "5ecret"]
    rendered = helm.template(
        {
            "discord": {"token": words[0]},
            "postgresql": {"enabled": False},
            "externalPostgresql": {"url": f"postgresql://me:{words[1]}@db/questbell"},
            "rabbitmq": {"enabled": False},
            "externalRabbitmq": {"url": f"amqp://me:{words[2]}@mq/"},
        }
    )
    assert len(rendered.all("Secret")) == 3
    assert not [word for word in words if word in rendered.text]


@pytest.mark.parametrize("variant", ["sandbox", "external"])
def test_every_pod_has_its_network_policy(variant: str, request: pytest.FixtureRequest) -> None:
    rendered: Rendered = request.getfixturevalue(variant)
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in rendered.all("NetworkPolicy")}
    assert policies.keys() == {f"{RELEASE}-{component}" for component in rendered.pods()}
    for component, pod in rendered.pods().items():
        policy = policies[f"{RELEASE}-{component}"]
        assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_a_network_policy_lets_a_workload_reach_what_it_needs(sandbox: Rendered, external: Rendered) -> None:
    assert _reaches(sandbox, "bot") == {"DNS", "postgresql:5432", "rabbitmq:5672", "discord:8090"}
    assert _reaches(sandbox, "controllers") == {"DNS", "postgresql:5432", "rabbitmq:5672", "*:443", "*:6443"}
    assert _reaches(external, "bot") == {"DNS", "*:5432", "*:5671", "*:5672", "*:443"}
    assert _reaches(sandbox, "postgresql") == set()


def test_an_upgrade_of_the_chart_alone_restarts_nothing(sandbox: Rendered) -> None:
    for name, pod in sandbox.pods().items():
        if name != "test":
            assert not {"helm.sh/chart", "app.kubernetes.io/version"} & pod["metadata"]["labels"].keys(), name


def test_another_secret_starts_other_pods(helm: Helm) -> None:
    values = {**EXTERNAL, "discord": {"token": "old"}}
    before, after = (helm.template({**values, "discord": {"token": token}}).pods() for token in ("old", "new"))
    changed = {name for name in before if before[name]["metadata"] != after[name]["metadata"]}
    assert changed == {"bot"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "No Discord is configured"),
        (
            {"discord": {"token": "t", "sandbox": {"enabled": True}}},
            "Set only one of discord.token, discord.sandbox.enabled",
        ),
        ({"discord": {"apiUrl": "http://x", "sandbox": {"enabled": True}}}, "Leave it empty"),
        ({**SANDBOX, "postgresql": {"enabled": False}}, "set either externalPostgresql.existingSecret.name or"),
        ({**SANDBOX, "externalRabbitmq": {"url": "amqp://mq/"}}, "Set rabbitmq.enabled=false"),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_what_to_do(values: Any, said: str, helm: Helm) -> None:
    with pytest.raises(HelmError, match=said):
        helm.template(values)


def test_the_chart_lints(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "--set", "discord.sandbox.enabled=true")


def _env(container: Object) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container.get("env", [])}


def _mounts(container: Object) -> set[str]:
    return {mount["name"] for mount in container["volumeMounts"]}


def _secrets(rendered: Rendered, name: str, container: Object) -> set[str]:
    volumes = rendered.pods()[name.partition("/")[0]]["spec"]["volumes"]
    projected = [
        volume["projected"]["sources"]
        for volume in volumes
        if volume["name"] in _mounts(container) and "projected" in volume
    ]
    items = [item for sources in projected for source in sources for item in source.get("secret", {}).get("items", [])]
    return {item["path"] for item in items}


def _reaches(rendered: Rendered, component: str) -> set[str]:
    reached = set()
    for rule in rendered.of("NetworkPolicy", component)["spec"]["egress"]:
        ports = {port["port"] for port in rule["ports"]}
        peers = [each["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for each in rule.get("to", [])]
        reached |= {"DNS"} if ports == {53} else {f"{peer}:{port}" for peer in peers or ["*"] for port in ports}
    return reached
