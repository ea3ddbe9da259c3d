"""The state of the cluster after a failed test, saved before it is deleted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.clusters import Cluster

ANSWERED_WITHIN = 30.0
VIEWS = {
    "objects": ("get", "all,secrets,configmaps,pvc,events,schedulers,deadletterreconcilers", "--output", "wide"),
    "resources.yaml": ("get", "schedulers,deadletterreconcilers", "--output", "yaml"),
    "description": ("describe", "pods,deployments,statefulsets,schedulers,deadletterreconcilers"),
    "events": ("get", "events", "--sort-by", ".metadata.creationTimestamp"),
}


def save(cluster: Cluster, directory: Path) -> None:
    """Write the state of every namespace of this run into a directory; a view that fails contains the error."""
    for namespace in _words(cluster, "default", "get", "namespace", "--selector", cluster.label, "--output", "name"):
        name = namespace.removeprefix("namespace/")
        place = directory / name
        place.mkdir(parents=True, exist_ok=True)
        for file, command in VIEWS.items():
            (place / file).write_text(_ask(cluster, name, *command))
        for pod, previous in _containers(cluster, name):
            logs = ("logs", pod, "--timestamps", "--previous" if previous else "--all-containers")
            (place / f"{pod}{'.previous' if previous else ''}.log").write_text(_ask(cluster, name, *logs))


def _containers(cluster: Cluster, namespace: str) -> Iterator[tuple[str, bool]]:
    """Yield each pod, and a second time if one of its containers was restarted."""
    columns = "NAME:.metadata.name,RESTARTS:.status.containerStatuses[*].restartCount"
    listed = _ask(cluster, namespace, "get", "pods", "--no-headers", "--output", f"custom-columns={columns}")
    for line in listed.splitlines():
        pod, _, restarts = line.partition(" ")
        yield pod, False
        if restarts.strip(" 0,"):
            yield pod, True


def _words(cluster: Cluster, namespace: str, *command: str) -> list[str]:
    return _ask(cluster, namespace, *command).split()


def _ask(cluster: Cluster, namespace: str, *command: str) -> str:
    # Not asyncio: this runs between tests, while their event loop is not running.
    try:
        ended = subprocess.run(
            [*cluster.kubectl(namespace).command, *command], capture_output=True, text=True, timeout=ANSWERED_WITHIN
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {ANSWERED_WITHIN:.0f} s\n"
    return ended.stdout or ended.stderr
