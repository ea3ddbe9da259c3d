"""Loops and resources for the tests of the Kubernetes side: no database, no cluster, and every turn on command."""

from __future__ import annotations

import asyncio
from datetime import datetime

from controllers.loops.base import LoopStatus
from controllers.resources.models import API_VERSION, SCHEDULER, Body, Resource, Spec
from shared.errors import TransientError

WELL = LoopStatus(ready=True, reason="Working", message="All is well")


class FakeLoop:
    """A loop that does nothing; it dies, and finishes what is in flight, when the test says so."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.spec: Spec | None = resource.spec
        self.applied: list[Spec] = []
        self.running = False
        self.reported = WELL
        self.reported_stats: dict[str, object] = {}
        self.in_flight: asyncio.Event | None = None
        self.loses_cancellation = False
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        self.running = True
        try:
            await self._end
        except asyncio.CancelledError:
            if self.in_flight is not None:
                await self.in_flight.wait()
            if self.loses_cancellation:
                raise TransientError("what was closed on the way out failed") from None
            raise
        finally:
            self.running = False

    def apply(self, spec: Spec) -> None:
        self.spec = spec
        self.applied.append(spec)

    def status(self) -> LoopStatus:
        if self.spec is not None and self.spec.suspend:
            return LoopStatus(ready=False, reason="Suspended", message="As the spec says")
        return self.reported

    async def stats(self) -> dict[str, object]:
        return self.reported_stats

    def die(self, error: Exception) -> None:
        self._end.set_exception(error)

    def end(self) -> None:
        self._end.set_result(None)


class FakeLoops:
    """Makes fake loops and remembers them; while `broken` is set it fails instead."""

    def __init__(self) -> None:
        self.made: list[FakeLoop] = []
        self.broken: Exception | None = None

    def __call__(self, resource: Resource) -> FakeLoop:
        if self.broken is not None:
            raise self.broken
        self.made.append(FakeLoop(resource))
        return self.made[-1]

    @property
    def running(self) -> list[FakeLoop]:
        return [loop for loop in self.made if loop.running]

    def of(self, name: str) -> FakeLoop:
        """The newest loop of the resources of a name."""
        return [loop for loop in self.made if loop.resource.name == name][-1]

    def runs(self, name: str) -> bool:
        return any(loop.resource.name == name for loop in self.running)


def body(
    *,
    uid: str = "u-1",
    name: str = "notifications",
    version: int = 1,
    generation: int = 1,
    deleting: bool = False,
    **spec: object,
) -> dict[str, object]:
    """A Scheduler as the API server sends it."""
    deletion = {"deletionTimestamp": "2026-03-01T00:00:00Z"} if deleting else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "Scheduler",
        "metadata": {
            "namespace": "games",
            "name": name,
            "uid": uid,
            "resourceVersion": str(version),
            "generation": generation,
            **deletion,
        },
        "spec": {"source": "Notifications", **spec},
    }


def scheduler(
    *,
    uid: str = "u-1",
    name: str = "notifications",
    version: int = 1,
    generation: int = 1,
    deleting: bool = False,
    status: Body | None = None,
    **spec: object,
) -> Resource:
    """A Scheduler as the controllers see it."""
    sent = body(uid=uid, name=name, version=version, generation=generation, deleting=deleting, **spec)
    return Resource.from_body(SCHEDULER, sent | ({"status": status} if status else {}))


def seconds(text: str) -> datetime:
    """A moment from its clock time, on one day."""
    return datetime.fromisoformat(f"2026-03-01T{text}+00:00")
