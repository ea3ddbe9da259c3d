"""Computes a resource's status from its loop's status and its previous status.

The conditions follow the API conventions
(https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md):

* `Ready`: the loop works. A suspended resource is not ready, because whatever waits for `Ready` waits for the work.
* `Degraded`: something needs attention. A suspended resource is not degraded, because its user wants it suspended.

A `phase` was rejected, because it repeats the conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from controllers.loops.base import LoopStatus
from controllers.resources.models import API_VERSION, Body, Resource

READY = "Ready"
DEGRADED = "Degraded"
SUSPENDED = "Suspended"
"""The reason of `Ready` while the spec suspends the resource."""

MESSAGE_LIMIT = 1024
"""Characters. A message is a line in a terminal, and some errors are pages long."""

Status = Mapping[str, Any]
Condition = Mapping[str, Any]


def compose_status(
    loop_status: LoopStatus, stats: Mapping[str, object], *, before: Status, generation: int, now: datetime
) -> dict[str, Any]:
    """Return the whole status.

    None in `stats` removes a field. Empty `stats` keep the previous ones, because the database may not answer.
    `lastDispatch` never goes back, because each replica knows only its own.
    """
    status = {name: _to_json(value) for name, value in (stats or _stats_of(before)).items() if value is not None}
    dispatches = (status.get("lastDispatch"), before.get("lastDispatch"), _to_json(loop_status.last_dispatch))
    if (last := max(filter(None, dispatches), default=None)) is not None:
        status["lastDispatch"] = last
    status["observedGeneration"] = generation
    status["conditions"] = _build_conditions(
        loop_status, before=before.get("conditions", ()), generation=generation, now=now
    )
    return status


def _build_conditions(
    loop_status: LoopStatus, *, before: Sequence[Condition], generation: int, now: datetime
) -> list[dict[str, Any]]:
    known = {condition["type"]: condition for condition in before}
    degraded = loop_status.degraded is not None
    degraded_reason = ("NeedsAttention" if loop_status.ready else loop_status.reason) if degraded else "AsExpected"
    degraded_message = loop_status.degraded if loop_status.degraded is not None else "Nothing needs attention"
    values = (
        (READY, loop_status.ready, loop_status.reason, loop_status.message),
        (DEGRADED, degraded, degraded_reason, degraded_message),
    )
    return [
        {
            "type": kind,
            "status": str(is_true),
            "reason": reason,
            "message": message[:MESSAGE_LIMIT],
            "lastTransitionTime": _transition_time(known.get(kind), str(is_true), now=now),
            "observedGeneration": generation,
        }
        for kind, is_true, reason, message in values
    ]


@dataclass(frozen=True)
class Transition:
    """A change of a condition's status."""

    warning: bool
    condition: str
    reason: str
    message: str


def find_transitions(before: Status, after: Status) -> Iterator[Transition]:
    """Yield the changes that become Events. A new resource is neither ready nor degraded."""
    old = {condition["type"]: condition["status"] for condition in before.get("conditions", ())}
    for condition in after["conditions"]:
        kind, status = condition["type"], condition["status"]
        if status == old.get(kind, "False"):
            continue
        is_bad = (status == "True") is (kind == DEGRADED)
        yield Transition(
            warning=is_bad and condition["reason"] != SUSPENDED,
            condition=kind,
            reason=condition["reason"],
            message=condition["message"],
        )


def build_event(resource: Resource, transition: Transition, *, instance: str, now: datetime) -> Body:
    """Return the Event (events.k8s.io/v1) of a transition, reported by the replica `instance`."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{resource.name[:200]}.{token_hex(8)}", "namespace": resource.namespace},
        "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning" if transition.warning else "Normal",
        "reason": transition.reason,
        "action": f"{transition.condition}Changed",
        "note": transition.message[:MESSAGE_LIMIT],
        "reportingController": "questbell.dev/controllers",
        "reportingInstance": instance[:128],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": resource.kind.name,
            "namespace": resource.namespace,
            "name": resource.name,
            "uid": resource.uid,
        },
    }


def _transition_time(known: Condition | None, status: str, *, now: datetime) -> Any:
    if known is not None and known["status"] == status:
        return known["lastTransitionTime"]
    return _to_json(now)


def _stats_of(status: Status) -> Status:
    return {name: value for name, value in status.items() if name not in {"conditions", "observedGeneration"}}


def _to_json(value: object) -> Any:
    """Times have whole seconds, as in Kubernetes."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value
