"""Helm as the tests drive it: the chart rendered with given values, and what was rendered, by kind and name."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from sandbox.servers import tools
from sandbox.servers.go_build import VERSION
from tests.support.servers import require

CHART = Path(__file__).parents[2] / "charts" / "questbell"
RELEASE = "questbell"
HELM_TIMEOUT = 60.0

Values = Mapping[str, Any]
Object = dict[str, Any]

SANDBOX: Values = {"discord": {"sandbox": {"enabled": True}}}
EXTERNAL: Values = {
    "discord": {"existingSecret": {"name": "my-discord"}},
    "postgresql": {"enabled": False},
    "externalPostgresql": {"existingSecret": {"name": "my-cluster-app"}},
    "rabbitmq": {"enabled": False},
    "externalRabbitmq": {"existingSecret": {"name": "my-rabbit-default-user"}},
}


class _Reader(yaml.CSafeLoader):
    """Reads YAML 1.1 as Helm and kubectl do, for which more words are booleans and numbers than for PyYAML."""

    bool_values: ClassVar[dict[str, bool]] = {**yaml.CSafeLoader.bool_values, "y": True, "n": False}


_Reader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("[yYnN]$"), list("yYnN"))
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.?[0-9]*)(e[-+]?[0-9]+)?$", re.IGNORECASE)
_Reader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


class HelmError(Exception):
    """Helm ended with an error; the message is what it said."""


class Rendered:
    """The objects of a rendering."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.objects: list[Object] = [document for document in yaml.load_all(text, _Reader) if document]

    def of(self, kind: str, component: str) -> Object:
        """Return the object of a kind whose name ends in the component's."""
        name = f"{RELEASE}-{component}"
        [named] = [document for document in self.all(kind) if document["metadata"]["name"] == name]
        return named

    def all(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [document for document in self.objects if document["kind"] == kind]

    def pods(self) -> dict[str, Object]:
        """Return the pod, or its template, of everything that makes pods, by component."""
        made: dict[str, Object] = {}
        for document in self.objects:
            if document["kind"] in {"Deployment", "StatefulSet", "Pod"}:
                pod = document if document["kind"] == "Pod" else document["spec"]["template"]
                made[pod["metadata"]["labels"]["app.kubernetes.io/component"]] = pod
        return made

    def containers(self) -> Iterator[tuple[str, Object]]:
        """Yield every container with a name to know it by."""
        for component, pod in self.pods().items():
            for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
                yield f"{component}/{container['name']}", container


@dataclass(frozen=True)
class Helm:
    """Helm, without a cluster unless its environment names one."""

    program: Path
    environment: Mapping[str, str]

    def __call__(self, *words: str, stdin: str = "") -> str:
        """Run it and return what it printed.

        Raises:
            HelmError: it failed.
        """
        ended = subprocess.run(
            [self.program, *words],
            input=stdin,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=HELM_TIMEOUT,
            check=False,
        )
        if ended.returncode:
            raise HelmError(ended.stderr)
        return ended.stdout

    def template(
        self, values: Values, *, chart: Path = CHART, release: str = RELEASE, namespace: str = "default"
    ) -> Rendered:
        """Render the chart.

        Raises:
            HelmError: the values are refused.
        """
        version = ("--kube-version", VERSION)  # else that of the cluster which Helm's release happens to think of
        words = ("template", release, str(chart), "--namespace", namespace, *version, "--values", "-")
        return Rendered(self(*words, stdin=json.dumps(values)))


def find(home: Path) -> Helm:
    """Return Helm, with nothing of the machine's own configuration; skip the test where there is none."""
    program = require(tools.HELM)
    return Helm(program, {"HELM_CONFIG_HOME": str(home), "HELM_CACHE_HOME": str(home), "KUBECONFIG": os.devnull})
