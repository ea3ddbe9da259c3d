"""The rendered manifests keep the promises of docs/install.md."""

from __future__ import annotations

from typing import Any

import pytest

from shared.settings import Timing
from tests.support import definitions
from tests.support.helm import CHART, EXTERNAL, RELEASE, SANDBOX, Helm, HelmError, Object, Rendered
from tests.support.role import RULES

OURS = ["controllers", "bot", "discord"]


def test_the_role_grants_exactly_what_the_operator_needs(sandbox: Rendered) -> None:
    assert sandbox.of("Role", "controllers")["rules"] == RULES
    assert not sandbox.all("ClusterRole")


def test_only_the_operator_gets_an_api_token(sandbox: Rendered) -> None:
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


def test_the_chart_installs_the_crds(helm: Helm, sandbox: Rendered) -> None:
    mine = {definition["metadata"]["name"]: definition for definition in definitions.load()}
    made = {crd["metadata"]["name"]: crd for crd in sandbox.all("CustomResourceDefinition")}
    assert {name: crd["spec"] for name, crd in made.items()} == {name: crd["spec"] for name, crd in mine.items()}
    assert all(crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for crd in made.values())
    dropped = helm.template({**SANDBOX, "crds": {"keep": False}}).all("CustomResourceDefinition")
    assert [crd["metadata"].get("annotations") for crd in dropped] == [None, None]
    assert not helm.template({**SANDBOX, "crds": {"enabled": False}}).all("CustomResourceDefinition")


def test_the_chart_contains_no_custom_resources(sandbox: Rendered) -> None:
    assert not [manifest for manifest in sandbox.objects if manifest["apiVersion"].startswith("questbell.dev")]


def test_an_upgrade_never_runs_fewer_controllers_than_configured(sandbox: Rendered) -> None:
    spec = sandbox.of("Deployment", "controllers")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    [spread] = spec["template"]["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["maxSkew"]) == ("kubernetes.io/hostname", 1)


def test_the_disruption_budget_never_blocks_a_drain(helm: Helm, sandbox: Rendered) -> None:
    [budget] = sandbox.all("PodDisruptionBudget")
    assert budget["metadata"]["name"] == f"{RELEASE}-controllers"
    assert (budget["spec"]["maxUnavailable"], budget["spec"]["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert not helm.template({**SANDBOX, "controllers": {"replicas": 1}}).all("PodDisruptionBudget")


def test_there_is_only_one_bot_even_during_an_upgrade(sandbox: Rendered) -> None:
    spec = sandbox.of("Deployment", "bot")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


SHARDED = {**SANDBOX, "bot": {"shards": 6, "processes": 3}}


def test_several_bots_have_an_ordinal_each(helm: Helm) -> None:
    rendered = helm.template(SHARDED)
    spec = rendered.of("StatefulSet", "bot")["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"]) == (3, "Parallel")
    service = rendered.of("Service", "bot")
    assert (service["metadata"]["name"], service["spec"]["clusterIP"]) == (spec["serviceName"], "None")
    [container] = spec["template"]["spec"]["containers"]
    variables = {variable["name"]: variable for variable in container["env"]}
    assert variables["QUESTBELL_BOT_SHARDS"]["value"] == "6"
    assert variables["QUESTBELL_BOT_PROCESSES"]["value"] == "3"
    index = {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}
    assert variables["QUESTBELL_BOT_ORDINAL"]["valueFrom"] == {"fieldRef": index}
    assert "bot" not in {found["metadata"]["name"].removeprefix(f"{RELEASE}-") for found in rendered.all("Deployment")}


def test_the_pods_of_several_bots_are_as_that_of_one_and_are_spread_over_nodes(helm: Helm) -> None:
    one, many = helm.template(SANDBOX).pods()["bot"]["spec"], helm.template(SHARDED).pods()["bot"]["spec"]
    [spread] = many.pop("topologySpreadConstraints")
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    for pod in (one, many):
        [container] = pod["containers"]
        container["env"] = [entry for entry in container["env"] if not entry["name"].startswith("QUESTBELL_BOT_")]
    assert one == many


def test_one_of_several_bots_may_be_evicted_at_a_time(helm: Helm, sandbox: Rendered) -> None:
    budget = helm.template(SHARDED).of("PodDisruptionBudget", "bot")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert budget["selector"] == sandbox.of("Deployment", "bot")["spec"]["selector"]
    unwanted = {**SHARDED, "bot": {**SHARDED["bot"], "podDisruptionBudget": {"enabled": False}}}
    assert len(helm.template(unwanted).all("PodDisruptionBudget")) == 1


@pytest.mark.parametrize(("replicas", "processes", "connections"), [(1, 1, 200), (2, 7, 246), (10, 10, 482)])
def test_the_bundled_postgresql_takes_the_connections_of_all_pods(
    replicas: int, processes: int, connections: int, helm: Helm
) -> None:
    values = {**SANDBOX, "controllers": {"replicas": replicas}, "bot": {"processes": processes, "shards": 10}}
    container = dict(helm.template(values).containers())["postgresql/postgresql"]
    assert container["args"] == ["-c", f"max_connections={connections}"]


def test_one_bot_may_have_as_many_shards_as_discord_recommends(helm: Helm) -> None:
    spec = helm.template({**SANDBOX, "bot": {"shards": "auto"}}).of("Deployment", "bot")["spec"]
    assert _env(spec["template"]["spec"]["containers"][0])["QUESTBELL_BOT_SHARDS"] == "auto"


@pytest.mark.parametrize("component", OURS)
def test_probes_use_the_endpoints_of_the_workload(component: str, sandbox: Rendered) -> None:
    [container] = sandbox.pods()[component]["spec"]["containers"]
    assert _env(container)["QUESTBELL_HEALTH_HOST"] == "::"
    assert {"name": "health", "containerPort": int(_env(container)["QUESTBELL_HEALTH_PORT"])} in container["ports"]
    asked = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert asked == {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}


@pytest.mark.parametrize(("shutdown", "grace"), [(None, 20), (2.5, 13), (30, 40)])
def test_the_grace_period_is_longer_than_the_shutdown(shutdown: float | None, grace: int, helm: Helm) -> None:
    timing = {} if shutdown is None else {"shutdown": shutdown}
    pods = helm.template({**SANDBOX, "timing": timing}).pods()
    for component in ("controllers", "bot"):
        assert pods[component]["spec"]["terminationGracePeriodSeconds"] == grace > (shutdown or Timing().shutdown)


def test_time_outs_are_passed_to_every_workload_and_the_broker(helm: Helm) -> None:
    rendered = helm.template({**SANDBOX, "timing": {"requestTimeout": 0.5, "consumerTimeout": 90}})
    for name, container in rendered.containers():
        if "QUESTBELL_SECRETS_DIR" in _env(container):
            assert _env(container)["QUESTBELL_TIMING_REQUEST_TIMEOUT"] == "0.5", name
            assert _env(container)["QUESTBELL_TIMING_CONSUMER_TIMEOUT"] == "90", name
    assert "consumer_timeout = 90000\n" in rendered.of("ConfigMap", "rabbitmq")["data"]["questbell.conf"]


def test_the_bot_gets_the_limits_on_open_games(sandbox: Rendered, helm: Helm) -> None:
    few = helm.template({**SANDBOX, "bot": {"limits": {"gamesPerHost": 3, "gamesPerServer": 100_000}}})
    for rendered, limits in ((sandbox, ("20", "200")), (few, ("3", "100000"))):
        variables = _env(dict(rendered.containers())["bot/bot"])
        assert (variables["QUESTBELL_GAMES_PER_HOST"], variables["QUESTBELL_GAMES_PER_SERVER"]) == limits


def test_the_bot_asks_for_members_only_if_it_shall(sandbox: Rendered, helm: Helm) -> None:
    asking = helm.template({**SANDBOX, "bot": {"membersIntent": True}})
    for rendered, value in ((sandbox, "false"), (asking, "true")):
        assert _env(dict(rendered.containers())["bot/bot"])["QUESTBELL_BOT_MEMBERS_INTENT"] == value


def test_each_workload_gets_only_its_own_secrets(sandbox: Rendered) -> None:
    given = {name: _secrets(sandbox, name, container) for name, container in sandbox.containers()}
    assert given == {
        "controllers/migrate": {"QUESTBELL_DATABASE_URL", "QUESTBELL_DATABASE_OWNER_URL"},
        "controllers/controllers": {"QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL"},
        "bot/bot": {"QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL", "DISCORD_TOKEN"},
        "discord/discord": {"DISCORD_TOKEN"},
        "test/test": {"QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL", "DISCORD_TOKEN"},
        "postgresql/postgresql": set(),
        "rabbitmq/rabbitmq": set(),
    }


def test_extra_settings_reach_every_container_of_a_workload_and_the_helm_test(helm: Helm) -> None:
    more = {
        "extraEnv": [{"name": "PGSSLROOTCERT", "value": "/etc/ca/ca.crt"}],
        "extraVolumes": [{"name": "ca", "secret": {"secretName": "our-authority"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
    }
    rendered = helm.template({**SANDBOX, "controllers": more, "bot": more})
    containers = dict(rendered.containers())
    for name in ("controllers/migrate", "controllers/controllers", "bot/bot", "test/test"):
        assert _env(containers[name])["PGSSLROOTCERT"] == "/etc/ca/ca.crt"
        assert {"name": "ca", "mountPath": "/etc/ca"} in containers[name]["volumeMounts"]
        assert more["extraVolumes"][0] in rendered.pods()[name.partition("/")[0]]["spec"]["volumes"]


def test_existing_secrets_are_mounted_unchanged(external: Rendered) -> None:
    [volume] = [volume for volume in external.pods()["bot"]["spec"]["volumes"] if volume["name"] == "secrets"]
    sources = [source["secret"] for source in volume["projected"]["sources"]]
    assert {source["name"]: source["items"] for source in sources} == {
        "my-cluster-app": [{"key": "uri", "path": "QUESTBELL_DATABASE_URL"}],
        "my-rabbit-default-user": [{"key": "connection_string", "path": "QUESTBELL_AMQP_URL"}],
        "my-discord": [{"key": "DISCORD_TOKEN", "path": "DISCORD_TOKEN"}],
    }
    assert not external.all("Secret")
    assert not external.all("StatefulSet")


def test_secret_values_appear_only_in_secrets(helm: Helm) -> None:
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
def test_every_pod_has_a_network_policy(variant: str, request: pytest.FixtureRequest) -> None:
    rendered: Rendered = request.getfixturevalue(variant)
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in rendered.all("NetworkPolicy")}
    assert policies.keys() == {f"{RELEASE}-{component}" for component in rendered.pods()}
    for component, pod in rendered.pods().items():
        policy = policies[f"{RELEASE}-{component}"]
        assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_network_policies_allow_what_each_workload_needs(sandbox: Rendered, external: Rendered) -> None:
    assert _reaches(sandbox, "bot") == {"DNS", "postgresql:5432", "rabbitmq:5672", "discord:8090"}
    assert _reaches(sandbox, "controllers") == {"DNS", "postgresql:5432", "rabbitmq:5672", "*:443", "*:6443"}
    assert _reaches(external, "bot") == {"DNS", "*:5432", "*:5671", "*:5672", "*:443"}
    assert _reaches(sandbox, "postgresql") == set()


def test_a_new_chart_version_alone_restarts_no_pod(sandbox: Rendered) -> None:
    for name, pod in sandbox.pods().items():
        if name != "test":
            assert not {"helm.sh/chart", "app.kubernetes.io/version"} & pod["metadata"]["labels"].keys(), name


def test_a_changed_secret_restarts_its_readers(helm: Helm) -> None:
    values = {**EXTERNAL, "discord": {"token": "old"}}
    before, after = (helm.template({**values, "discord": {"token": token}}).pods() for token in ("old", "new"))
    changed = {name for name in before if before[name]["metadata"] != after[name]["metadata"]}
    assert changed == {"bot"}


@pytest.mark.parametrize(
    ("values", "message"),
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
def test_contradicting_values_are_rejected_with_a_remedy(values: Any, message: str, helm: Helm) -> None:
    with pytest.raises(HelmError, match=message):
        helm.template(values)


def test_helm_lint_passes(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "--set", "discord.sandbox.enabled=true")


def _env(container: Object) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in container.get("env", [])}


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
        peers = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule.get("to", [])]
        reached |= {"DNS"} if ports == {53} else {f"{peer}:{port}" for peer in peers or ["*"] for port in ports}
    return reached
