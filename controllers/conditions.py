"""Computes a resource's status from its loop's status and its previous status.

The conditions follow the API conventions
(https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md):

* `Ready`: the loop works. A suspended resource is not ready, because whatever waits for `Ready` waits for the work.
* `Degraded`: something needs attention, or the loop does not work. A suspended resource is not degraded, because its
  user wants it suspended. It ends only after a calm time, so that one problem is one pair of Events.

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

STARTING = "Starting"
"""The reason of `Ready` until the first iteration has ended."""

MESSAGE_LIMIT = 1024
"""Characters. A message is a line in a terminal, and some errors are pages long."""

Status = Mapping[str, Any]
Condition = Mapping[str, Any]


def find_problem(loop_status: LoopStatus) -> str | None:
    """Return what needs attention, or None."""
    if loop_status.reason in (SUSPENDED, STARTING):
        return None
    return loop_status.degraded or (None if loop_status.ready else loop_status.message)


def compose_status(
    loop_status: LoopStatus,
    stats: Mapping[str, object],
    *,
    before: Status,
    generation: int,
    now: datetime,
    is_calm: bool = True,
) -> dict[str, Any]:
    """Return the whole status, without who wrote it when.

    Unless `is_calm`, a degraded resource remains degraded although nothing is wrong any more.

    None in `stats` removes a field. Empty `stats` keep the previous ones, because the database may not answer.
    `lastDispatch` never goes back, because each replica knows only its own.
    """
    status = {name: to_json(value) for name, value in (stats or _stats_of(before)).items() if value is not None}
    dispatches = (status.get("lastDispatch"), before.get("lastDispatch"), to_json(loop_status.last_dispatch))
    if (last := max(filter(None, dispatches), default=None)) is not None:
        status["lastDispatch"] = last
    status["observedGeneration"] = generation
    status["conditions"] = _build_conditions(
        loop_status, before=before.get("conditions", ()), generation=generation, now=now, is_calm=is_calm
    )
    return status


def _build_conditions(
    loop_status: LoopStatus, *, before: Sequence[Condition], generation: int, now: datetime, is_calm: bool
) -> list[dict[str, Any]]:
    known = {condition["type"]: condition for condition in before}
    values = (
        (READY, loop_status.ready, loop_status.reason, loop_status.message),
        (DEGRADED, *_degraded(loop_status, known.get(DEGRADED), is_calm=is_calm)),
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


def _degraded(loop_status: LoopStatus, known: Condition | None, *, is_calm: bool) -> tuple[bool, str, str]:
    """Return the condition's status, reason and message."""
    if (problem := find_problem(loop_status)) is not None:
        return True, "NeedsAttention" if loop_status.ready else loop_status.reason, problem
    if known is not None and known["status"] == "True" and loop_status.reason != SUSPENDED and not is_calm:
        return True, known["reason"], known["message"]
    return False, "AsExpected", "Nothing needs attention"


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
    return to_json(now)


def _stats_of(status: Status) -> Status:
    others = {"conditions", "observedGeneration", "release", "lastUpdate"}
    return {name: value for name, value in status.items() if name not in others}


def to_json(value: object) -> Any:
    """Return a value for a status. Times have whole seconds, as in Kubernetes."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value
