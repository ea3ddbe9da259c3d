"""The default resources, so that an installation works without further steps.

The operator never updates them, so a user's edits stay. The chart does not contain them, because an upgrade would undo
the edits and an uninstall would race the operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from controllers.resources.models import (
    API_VERSION,
    DEAD_LETTER_RECONCILER,
    SCHEDULER,
    Body,
    Kind,
    Resource,
    Source,
)

DEFAULTS: Mapping[Kind, Mapping[str, Mapping[str, Any]]] = {
    SCHEDULER: {
        "notifications": {"source": Source.NOTIFICATIONS},
        "status-transitions": {"source": Source.STATUS_TRANSITIONS},
    },
    DEAD_LETTER_RECONCILER: {"default": {}},
}
"""Name and spec, by kind."""


def missing_defaults(existing: Iterable[Resource]) -> Iterator[tuple[Kind, Body]]:
    """Yield the defaults of kinds without resources."""
    present = {resource.kind for resource in existing}
    for kind in DEFAULTS.keys() - present:
        for name, spec in DEFAULTS[kind].items():
            metadata = {"name": name, "labels": {"app.kubernetes.io/part-of": "questbell"}}
            yield kind, {"apiVersion": API_VERSION, "kind": kind.name, "metadata": metadata, "spec": dict(spec)}
