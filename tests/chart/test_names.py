"""Every name that Helm and Kubernetes accept can be installed, and others are refused before anything is.

YAML reads some names as another type. So the types of all fields are compared with those for plain names.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.helm import CHART, EXTERNAL, SANDBOX, Helm, HelmError, Rendered, Values

ODD = ("n", "y", "on", "off", "yes", "no", "true", "false", "null", "123", "1e3", "0x1f", "0b11", "1.5", "2001-01-01")
EVERYTHING: Values = {
    **SANDBOX,
    "networkPolicy": {"enabled": True},
    "metrics": {name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "dashboard")},
}
SERVICE_NAME = r"[a-z]([-a-z0-9]*[a-z0-9])?"


@pytest.fixture(scope="module")
def plain(helm: Helm) -> Any:
    """The types of a rendering with plain names."""
    return _types(helm.template(EVERYTHING, release="plain", namespace="plain"))


@pytest.mark.parametrize("name", [*ODD, "my.app", "a.b.c", "0.1.2"])
def test_a_release_and_a_namespace_may_have_any_name(name: str, plain: Any, helm: Helm) -> None:
    namespace = name.replace(".", "-")
    rendered = helm.template(EVERYTHING, release=name, namespace=namespace)
    assert _types(rendered) == plain
    for manifest in rendered.objects:
        if manifest["kind"] != "CustomResourceDefinition":
            assert manifest["metadata"]["namespace"] == namespace
            assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == name
    services = rendered.all("Service")
    assert len(services) == 5
    for service in services:
        assert _matches(service["metadata"]["name"])


@pytest.mark.parametrize("name", ["n", "on", "1e3", "123"])
def test_the_names_in_values_may_be_words_of_yaml(name: str, helm: Helm) -> None:
    assert _types(helm.template(_named(name))) == _types(helm.template(_named("plain")))


def _named(name: str) -> Values:
    """Return values with a name wherever one is expected."""
    placed = {"priorityClassName": name, "nodeSelector": {"disk": name}, "podLabels": {"a": name}, "extraEnv": []}
    image = {"repository": name, "tag": name}
    existing = {"existingSecret": {"name": name, "key": name}}
    return {
        "image": {**image, "pullSecrets": [name]},
        "commonLabels": {"team": name},
        "discord": existing,
        "controllers": {**placed, "extraEnv": [{"name": "A", "value": name}]},
        "bot": placed,
        "postgresql": {
            **placed,
            "image": image,
            "auth": {"existingSecret": name},
            "persistence": {"storageClassName": name, "size": "8"},
        },
        "rabbitmq": {"enabled": False},
        "externalRabbitmq": existing,
        "serviceAccount": {"name": name},
    }


@pytest.mark.parametrize("value", ["fullnameOverride", "nameOverride"])
@pytest.mark.parametrize("name", ["My-App", "my.app", "my_app", "1app", "-app", "app-", "my app", "é"])
def test_an_impossible_override_is_refused_in_one_line(value: str, name: str, helm: Helm) -> None:
    with pytest.raises(HelmError, match=f"{value} is .*, but must consist of lower-case letters") as refused:
        helm.template({**SANDBOX, value: name})
    said = [line for line in str(refused.value).splitlines() if line and not line.startswith("Use --debug")]
    assert len(said) == 1


@pytest.mark.parametrize("alias", ["gamenights", "gameNights", "Game_Nights"])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_parent_chart_can_switch_it_on_and_off(alias: str, enabled: bool, helm: Helm, tmp_path: Path) -> None:
    parent = _parent(tmp_path, alias=alias)
    rendered = helm.template({alias: {**EXTERNAL, "enabled": enabled}}, chart=parent, release="on")
    assert bool(rendered.objects) is enabled
    for service in rendered.all("Service"):
        assert _matches(service["metadata"]["name"])


def test_a_parent_chart_may_have_it_twice(helm: Helm, tmp_path: Path) -> None:
    parent = _parent(tmp_path, alias="questbell", second="other")
    values = {**SANDBOX, "enabled": True}
    rendered = helm.template({"questbell": values, "other": {**values, "crds": {"enabled": False}}}, chart=parent)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered.objects]
    assert len(names) == len(set(names))
    selectors = [
        str(found["spec"]["selector"]) for kind in ("Deployment", "StatefulSet") for found in rendered.all(kind)
    ]
    assert len(selectors) == len(set(selectors)) == 10


def test_enabled_is_refused_where_it_has_no_effect(helm: Helm) -> None:
    with pytest.raises(HelmError, match="enabled=false only has an effect in the condition of a parent chart"):
        helm.template({**SANDBOX, "enabled": False})


def _parent(directory: Path, *, alias: str, second: str | None = None) -> Path:
    """Make a chart that depends on ours, under one name or two."""
    aliases = [name for name in (alias, second) if name]
    dependencies = [
        {"name": "questbell", "version": ">=0-0", "alias": name, "condition": f"{name}.enabled"} for name in aliases
    ]
    about = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": dependencies}
    (directory / "Chart.yaml").write_text(yaml.safe_dump(about))
    (directory / "charts").mkdir()
    (directory / "charts" / "questbell").symlink_to(CHART)
    return directory


def _types(rendered: Rendered) -> Any:
    return _type_of(rendered.objects)


def _type_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _type_of(child) for key, child in value.items()}
    return [_type_of(child) for child in value] if isinstance(value, list) else type(value)


def _matches(name: str) -> bool:
    return bool(re.fullmatch(SERVICE_NAME, name))
