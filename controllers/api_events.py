"""The Events that `kubectl get events` and `kubectl describe` show (events.k8s.io/v1).

Only flips of conditions become Events: they are for people, the API server keeps them for an hour, and Kopf's own
posting has no aggregation.
"""

from __future__ import annotations

from datetime import UTC, datetime
from secrets import token_hex

from controllers.conditions import Transition
from controllers.resources.models import API_VERSION, Body, Resource

CONTROLLER = "questbell.dev/controllers"
_NOTE_LIMIT = 1024
_NAME_LIMIT = 200


def event_body(resource: Resource, transition: Transition, *, instance: str, now: datetime) -> Body:
    """Return the Event of a transition, seen by the replica `instance`."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{resource.name[:_NAME_LIMIT]}.{token_hex(8)}", "namespace": resource.namespace},
        "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning" if transition.warning else "Normal",
        "reason": transition.reason,
        "action": f"{transition.condition}Changed",
        "note": transition.message[:_NOTE_LIMIT],
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": resource.kind.name,
            "namespace": resource.namespace,
            "name": resource.name,
            "uid": resource.uid,
        },
    }
