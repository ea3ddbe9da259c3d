"""The custom resources as the controllers see them.

The models repeat the CRDs' bounds and defaults so that a loop can be made without a cluster. A test compares them.

Bodies from the watch, the list and a PATCH can overtake one another. `version` orders them: resource versions of one
kind are comparable integers, documented since Kubernetes 1.35 (KEP-5504) and true of every older API server that stores
in etcd. Asking the server before each decision was rejected, because it costs requests.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from shared import logs

GROUP = "questbell.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

Body = Mapping[str, Any]
"""An API object."""


class Source(enum.StrEnum):
    """A scheduler's table."""

    NOTIFICATIONS = "Notifications"
    STATUS_TRANSITIONS = "StatusTransitions"


class Spec(BaseModel):
    """The base of specs: camelCase outside, frozen inside."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")

    suspend: bool = False


class SchedulerSpec(Spec):
    """Publishes the due rows of one source."""

    source: Source
    batch_size: int = Field(default=100, ge=1, le=1000)
    max_wait_seconds: int = Field(default=15, ge=1, le=900)
    retention_days: int = Field(default=30, ge=1, le=3650)


class DeadLetterReconcilerSpec(Spec):
    """Empties dead-letter queues at start and on an interval."""

    queues: tuple[str, ...] = ("bot.reminders.dlq", "bot.notices.dlq", "bot.transitions.dlq")
    interval_seconds: int = Field(default=900, ge=1, le=86400)
    batch_size: int = Field(default=100, ge=1, le=1000)
    alert_after_attempts: int = Field(default=5, ge=1, le=1000)


@dataclass(frozen=True)
class Kind:
    """A kind of custom resource."""

    name: str
    plural: str
    spec: type[Spec]

    def path(self, namespace: str, name: str | None = None) -> str:
        """Return the API path of the kind or of one object."""
        collection = f"/apis/{API_VERSION}/namespaces/{namespace}/{self.plural}"
        return collection if name is None else f"{collection}/{name}"


SCHEDULER = Kind("Scheduler", "schedulers", SchedulerSpec)
DEAD_LETTER_RECONCILER = Kind("DeadLetterReconciler", "deadletterreconcilers", DeadLetterReconcilerSpec)
KINDS = (SCHEDULER, DEAD_LETTER_RECONCILER)


@dataclass(frozen=True)
class Resource:
    """One version of a custom resource. Its uid identifies it, because a name may be used again."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    version: int
    generation: int
    deleting: bool
    spec: Spec | None
    """None if a newer definition in the cluster makes it unreadable."""
    status: Body

    @classmethod
    def from_body(cls, kind: Kind, body: Body) -> Self:
        """Read an API object."""
        metadata = body["metadata"]
        return cls(
            kind=kind,
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            version=int(metadata["resourceVersion"]),
            generation=metadata["generation"],
            deleting="deletionTimestamp" in metadata,
            spec=_spec(kind, body),
            status=body.get("status", {}),
        )

    def is_namesake(self, other: Resource) -> bool:
        """Return whether another resource has the same name."""
        return (self.kind, self.namespace, self.name) == (other.kind, other.namespace, other.name)

    def __str__(self) -> str:
        return f"{self.kind.name} {self.namespace}/{self.name}"


def _spec(kind: Kind, body: Body) -> Spec | None:
    try:
        return kind.spec.model_validate(body.get("spec", {}))
    except ValidationError as error:
        logs.get().error(
            "A spec cannot be read; is this release older than the resource definition in the cluster?",
            action="spec_unreadable",
            kind=kind.name,
            name=body["metadata"]["name"],
            problems=[f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()],
        )
        return None
