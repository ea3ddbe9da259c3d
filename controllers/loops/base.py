"""What the supervisor knows of a loop, whichever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from controllers.resources.models import Spec
from shared import logs

SpecT = TypeVar("SpecT", bound=Spec, contravariant=True)
T = TypeVar("T")


@dataclass(frozen=True)
class LoopStatus:
    """How a loop is doing, for the conditions of its resource. `reason` is CamelCase, `message` is for people."""

    ready: bool
    reason: str
    message: str
    last_dispatch: datetime | None = None
    degraded: str | None = None
    """What is not as it should be although the loop works, for people; None when all is well."""


class Loop(Protocol[SpecT]):
    """A loop of the controllers: one asyncio task for each custom resource."""

    async def run(self) -> None:
        """Work until cancelled. What is in flight at the cancellation is finished. An exception means: start me
        again."""

    def apply(self, spec: SpecT) -> None:
        """Take a new spec without a restart; with `suspend`, finish what is in flight and take no more."""

    def status(self) -> LoopStatus:
        """Say how it goes, now."""

    async def stats(self) -> dict[str, object]:
        """Return the figures for the resource's status, by their names there. Their cost must not grow with the rows.

        Raises:
            TransientError: the database cannot be asked now.
        """


def format_capped(count: int, *, cap: int = 10_000) -> str:
    """Return a count as people read it; one that was counted only to `cap` + 1 says so."""
    return str(count) if count <= cap else f"{cap}+"


async def wait_or_event(event: asyncio.Event, *, timeout: float) -> None:
    """Wait until an event is set, at most `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        return


async def finish_uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """Await work that a cancellation must not tear: its rows are locked and its messages on their way."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})  # bounded: every wait on the network within it has its own time-out
        if not task.cancelled() and (error := task.exception()) is not None:
            logs.get().warning("The last iteration failed", action="loop_ended", error=str(error))
        raise
