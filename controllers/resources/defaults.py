"""The resources that the operator creates when there are none, so that an installation works without further steps.

They are created, never updated: what a user changes in them stays. The chart does not hold them, for an upgrade would
then undo the user's edits and an uninstall race the operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controllers.api_server import ApiServer, ConflictError
from controllers.resources.resource import (
    API_VERSION,
    DEAD_LETTER_RECONCILER,
    SCHEDULER,
    Kind,
    Resource,
)
from controllers.resources.specs import Source
from shared import logs

DEFAULTS: Mapping[Kind, Mapping[str, Mapping[str, Any]]] = {
    SCHEDULER: {
        "notifications": {"source": Source.NOTIFICATIONS},
        "status-transitions": {"source": Source.STATUS_TRANSITIONS},
    },
    DEAD_LETTER_RECONCILER: {"default": {}},
}
"""Name and spec of each default resource, by kind."""


async def create_missing(api: ApiServer, namespace: str, *, existing: list[Resource]) -> None:
    """Create the defaults of every kind of which there is no resource."""
    present = {resource.kind for resource in existing}
    for kind in DEFAULTS.keys() - present:
        for name, spec in DEFAULTS[kind].items():
            await _create(api, kind, namespace, name, spec)


async def _create(api: ApiServer, kind: Kind, namespace: str, name: str, spec: Mapping[str, Any]) -> None:
    metadata = {"name": name, "labels": {"app.kubernetes.io/part-of": "questbell"}}
    log = logs.get(kind=kind.name, namespace=namespace, name=name)
    try:
        await api.create(
            kind, namespace, {"apiVersion": API_VERSION, "kind": kind.name, "metadata": metadata, "spec": dict(spec)}
        )
    except ConflictError:
        log.debug("Another replica was faster", action="default_exists")
    else:
        log.info("Created a default resource", action="default_created")
