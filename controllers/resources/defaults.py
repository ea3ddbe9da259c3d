"""The default resources, so that an installation works without further steps.

The operator never updates them, so a user's edits stay. It creates one whenever no resource does its work, because a
deletion would stop delivery silently: `spec.suspend` is the way to stop a loop. The chart does not contain them,
because an upgrade would undo the edits and an uninstall would race the operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controllers.resources.models import (
    API_VERSION,
    DEAD_LETTER_RECONCILER,
    SCHEDULER,
    Body,
    Kind,
    Resource,
    SchedulerSpec,
    Source,
)


@dataclass(frozen=True)
class Default:
    """A default resource. `source` is a Scheduler's."""

    kind: Kind
    name: str
    source: Source | None = None

    @property
    def body(self) -> Body:
        """Return the API object."""
        spec: Mapping[str, Any] = {} if self.source is None else {"source": self.source}
        metadata = {"name": self.name, "labels": {"app.kubernetes.io/part-of": "questbell"}}
        return {"apiVersion": API_VERSION, "kind": self.kind.name, "metadata": metadata, "spec": dict(spec)}

    def is_needed(self, existing: Iterable[Resource]) -> bool:
        """Return whether no resource does its work."""
        return not any(
            resource.kind is self.kind and not resource.deleting and _source(resource) is self.source
            for resource in existing
        )

    def __str__(self) -> str:
        return self.kind.name if self.source is None else f"{self.kind.name} with the source {self.source}"


DEFAULTS: Sequence[Default] = (
    Default(SCHEDULER, "notifications", Source.NOTIFICATIONS),
    Default(SCHEDULER, "status-transitions", Source.STATUS_TRANSITIONS),
    Default(DEAD_LETTER_RECONCILER, "default"),
)


def missing_defaults(existing: Iterable[Resource]) -> list[Default]:
    """Return the defaults whose work no resource does."""
    resources = list(existing)
    return [default for default in DEFAULTS if default.is_needed(resources)]


def _source(resource: Resource) -> Source | None:
    return resource.spec.source if isinstance(resource.spec, SchedulerSpec) else None
