"""The release that operates a namespace, as the status of its resources says.

Two releases would share the resources and overwrite each other's status, so the second one waits. The status is enough
for that: a Lease would be one more object, and one more permission.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from controllers.resources.models import Resource

HEARTBEAT_INTERVAL = timedelta(seconds=30)
"""How often an unchanged status is written, so that its age shows that controllers run."""
STALE_AFTER = 3 * HEARTBEAT_INTERVAL
"""Then its writer is gone."""


def other_release(resource: Resource, release: str, *, now: datetime) -> str | None:
    """Return another release that operates this resource, or None."""
    writer, at = resource.status.get("release"), resource.status.get("lastUpdate")
    if writer is None or at is None or writer == release:
        return None
    return str(writer) if now - datetime.fromisoformat(at).astimezone(UTC) < STALE_AFTER else None


def find_other_release(resources: Iterable[Resource], release: str, *, now: datetime) -> str | None:
    """Return another release that operates any of the resources, or None."""
    return next(filter(None, (other_release(resource, release, now=now) for resource in resources)), None)
