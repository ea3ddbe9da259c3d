"""The monitoring objects of the chart."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.monitoring import documents
from tests.support.helm import SANDBOX, Helm, Object, Rendered, Values, find

KINDS = {"serviceMonitor": "ServiceMonitor", "prometheusRule": "PrometheusRule", "dashboard": "ConfigMap"}
LABELS = {"serviceMonitor": {"release": "prom"}, "prometheusRule": {"release": "rules"}, "dashboard": {"board": "1"}}
NAMES = {"serviceMonitor": "metrics", "prometheusRule": "alerts", "dashboard": "dashboard"}


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return find(tmp_path_factory.mktemp("helm"))


def metrics(*, enabled: bool) -> Values:
    return {"metrics": {name: {"enabled": enabled, "labels": labels} for name, labels in LABELS.items()}}


@pytest.fixture(scope="module")
def monitored(helm: Helm) -> Rendered:
    """The chart with all monitoring objects enabled."""
    return helm.template({**SANDBOX, **metrics(enabled=True)})


def test_nothing_needs_the_prometheus_operator_by_default(helm: Helm) -> None:
    plain = helm.template({**SANDBOX, **metrics(enabled=False)})
    assert {manifest["apiVersion"] for manifest in plain.objects if "monitoring" in manifest["apiVersion"]} == set()
    assert [config_map for config_map in plain.all("ConfigMap") if "questbell.json" in config_map["data"]] == []


@pytest.mark.parametrize("part", KINDS)
def test_monitoring_objects_have_the_configured_labels(monitored: Rendered, part: str) -> None:
    made = monitored.of(KINDS[part], NAMES[part])
    assert LABELS[part].items() <= made["metadata"]["labels"].items()


def test_the_rule_contains_the_alerts_with_the_namespace_of_the_release(monitored: Rendered) -> None:
    rule = monitored.of("PrometheusRule", "alerts")
    namespace = rule["metadata"]["namespace"]
    assert rule["spec"] == yaml.safe_load(documents.ALERTS.read_text().replace("$namespace", namespace))


def test_the_dashboard_is_rendered_unchanged(monitored: Rendered) -> None:
    made = monitored.of("ConfigMap", "dashboard")
    assert json.loads(made["data"]["questbell.json"]) == json.loads(documents.DASHBOARD.read_text())


def test_prometheus_scrapes_only_the_controllers_and_the_bot(monitored: Rendered) -> None:
    monitor = monitored.of("ServiceMonitor", "metrics")["spec"]
    [endpoint] = monitor["endpoints"]
    selected = [service for service in monitored.all("Service") if _selects(monitor["selector"], service)]
    assert sorted(service["metadata"]["name"] for service in selected) == ["questbell-bot", "questbell-controllers"]
    for service in selected:
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def _selects(selector: Object, service: Object) -> bool:
    labels = service["metadata"]["labels"]
    [expression] = selector["matchExpressions"]
    return selector["matchLabels"].items() <= labels.items() and labels[expression["key"]] in expression["values"]
