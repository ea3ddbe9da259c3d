"""What the status of a resource says, computed from a loop's report and from what the status said before.

Two conditions, after the API conventions
(https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md):

* `Ready`: the loop does its work. A suspended resource is not ready, with the reason `Suspended`: whoever waits for
  `Ready` waits for work being done, and a column that says True while nothing is published would be a lie.
* `Degraded`: something is not as it should be and somebody should look. A suspended resource is not degraded, for it
  does what was asked; alerts watch this one.

A `phase` beside them was rejected: it would say the same again in a form that cannot grow. All of it is pure, so every
transition is tested without a cluster.
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
"""The reason of a resource that is not ready because its user wants so."""

MESSAGE_LIMIT = 1024
"""Characters of a message: it is a line in a terminal, and errors of other systems can be pages."""

Status = Mapping[str, Any]
Condition = Mapping[str, Any]


def compose(
    report: LoopStatus, figures: Mapping[str, object], *, before: Status, generation: int, now: datetime
) -> dict[str, Any]:
    """Return the whole status: the figures, the conditions and the generation that they are said of.

    `figures` replace those of before; None leaves a field out. With none at all (they cannot be asked now) the old
    ones stay. The last dispatch never goes back: each replica knows only its own.
    """
    status = {name: _json(value) for name, value in (figures or _figures_of(before)).items() if value is not None}
    dispatches = (status.get("lastDispatch"), before.get("lastDispatch"), _json(report.last_dispatch))
    if (last := max(filter(None, dispatches), default=None)) is not None:
        status["lastDispatch"] = last
    status["observedGeneration"] = generation
    status["conditions"] = conditions(report, before=before.get("conditions", ()), generation=generation, now=now)
    return status


def conditions(
    report: LoopStatus, *, before: Sequence[Condition], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """Return `Ready` and `Degraded`; `lastTransitionTime` moves only when a condition's status flips."""
    known = {condition["type"]: condition for condition in before}
    degraded = report.degraded is not None
    degraded_reason = ("NeedsAttention" if report.ready else report.reason) if degraded else "AsExpected"
    degraded_message = report.degraded if report.degraded is not None else "Nothing needs attention"
    said = (
        (READY, report.ready, report.reason, report.message),
        (DEGRADED, degraded, degraded_reason, degraded_message),
    )
    return [
        {
            "type": kind,
            "status": str(holds),
            "reason": reason,
            "message": message[:MESSAGE_LIMIT],
            "lastTransitionTime": _since(known.get(kind), str(holds), now=now),
            "observedGeneration": generation,
        }
        for kind, holds, reason, message in said
    ]


@dataclass(frozen=True)
class Transition:
    """A flip of a condition, for `kubectl get events`."""

    warning: bool
    condition: str
    reason: str
    message: str


def transitions(before: Status, after: Status) -> Iterator[Transition]:
    """Yield the flips that people want to hear of.

    A new resource is neither ready nor degraded; only what differs from that is news.
    """
    old = {condition["type"]: condition["status"] for condition in before.get("conditions", ())}
    for condition in after["conditions"]:
        kind, holds = condition["type"], condition["status"]
        if holds == old.get(kind, "False"):
            continue
        is_bad = (holds == "True") is (kind == DEGRADED)
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


def _since(known: Condition | None, holds: str, *, now: datetime) -> Any:
    if known is not None and known["status"] == holds:
        return known["lastTransitionTime"]
    return _json(now)


def _figures_of(status: Status) -> Status:
    return {name: value for name, value in status.items() if name not in {"conditions", "observedGeneration"}}


def _json(value: object) -> Any:
    """Return a value as JSON has it; times to the second, which is what Kubernetes' own are."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value
